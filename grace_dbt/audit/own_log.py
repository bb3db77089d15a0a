"""What operators did with grace-dbt, chained like the immutable log of Grace: `audit.sqlite` under GRACE_HOME.

The commands log, not the functions behind them: an entry says what somebody ordered, once, and a program that calls a
function logs for itself. A command logs right after its work, before it prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from grace_dbt.errors import ExitCode, GraceError, unforeseen

if TYPE_CHECKING:
    from grace_dbt.audit.append import AppendedEntry
    from grace_dbt.settings import Settings

PLACE_VARIABLE = "GRACE_AUDIT_LOG"
PLACES = ("own", "operational")
SUBSYSTEM = "grace-dbt"
OWN_FILE = "audit.sqlite"

# As the declaration plans the table for SQLite; dbt, which plans, is too slow to be asked here.
_STATEMENTS = (
    """create table if not exists "immutable_log" (
    "id" INTEGER not null,
    "sequence" INTEGER not null unique,
    "actor" TEXT not null,
    "action" TEXT not null,
    "resource" TEXT,
    "subsystem" TEXT,
    "payload" TEXT,
    "result" TEXT,
    "entry_hash" TEXT not null unique,
    "previous_hash" TEXT not null,
    "timestamp" TIMESTAMP default CURRENT_TIMESTAMP,
    primary key ("id")
)""",
    'create index if not exists "ix_immutable_log__timestamp" on "immutable_log" ("timestamp")',
    'create index if not exists "ix_immutable_log__subsystem" on "immutable_log" ("subsystem")',
    """create trigger if not exists "immutable_log__never_updated" before update on "immutable_log"
begin
    select raise(abort, 'immutable_log is append-only: a row is never updated');
end""",
    """create trigger if not exists "immutable_log__never_deleted" before delete on "immutable_log"
begin
    select raise(abort, 'immutable_log is append-only: a row is never deleted');
end""",
    """create trigger if not exists "immutable_log__never_replaced" before insert on "immutable_log" when exists"""
    """ (select 1 from "immutable_log" where rowid = new.rowid or ("id" = new."id")"""
    """ or ("sequence" = new."sequence") or ("entry_hash" = new."entry_hash"))
begin
    select raise(abort, 'immutable_log is append-only: a row is never replaced');
end""",
)


def own_file(settings: Settings) -> Path:
    """The file of the own log; it comes with its first entry."""
    return settings.home / OWN_FILE


def chosen_place() -> str:
    """Where the environment wants commands to be logged: `own` or `operational`.

    Raises:
        GraceError: It names another place (exit code 2).
    """
    place = os.environ.get(PLACE_VARIABLE) or "own"
    if place not in PLACES:
        raise GraceError(
            f"'{place}' is no place for the audit log.",
            f"Set {PLACE_VARIABLE} to one of: {', '.join(PLACES)}.",
            ExitCode.USAGE,
        )
    return place


def log_own(
    settings: Settings,
    action: str,
    resource: str,
    payload: Mapping[str, object],
    result: str,
    *,
    own_only: bool = False,
) -> AppendedEntry | None:
    """Log what a command did. It is done: where it can't be logged, a warning on stderr says so, and nothing fails.

    Args:
        settings: The installation.
        action: What was done, in dotted form: `audit.append`.
        resource: What it was done to; a database by `str(url)`, which has no password.
        payload: Details that JSON can say; never a password.
        result: How it ended.
        own_only: Keep it in the own log also where GRACE_AUDIT_LOG says `operational`. What the operational database
            does not take is kept there as well.

    Returns:
        The entry; None where it could not be logged.

    Raises:
        GraceError: GRACE_AUDIT_LOG names no place (exit code 2).
    """
    operational = chosen_place() == "operational" and not own_only
    try:
        if operational:
            return _in_operational(settings, action, resource, payload, result)
    except Exception as error:
        _warn("the operational database took no entry of this command", error)
    try:
        return _in_own(settings, action, resource, payload, result)
    except Exception as error:
        _warn("this command is not in the audit log", error)
    return None


def _in_operational(
    settings: Settings, action: str, resource: str, payload: Mapping[str, object], result: str
) -> AppendedEntry:
    from grace_dbt.audit.append import append_immutable_log

    return append_immutable_log(
        settings.operational,
        actor=_operator(),
        action=action,
        resource=resource,
        payload=payload,
        result=result,
        subsystem=SUBSYSTEM,
    )


def _in_own(
    settings: Settings, action: str, resource: str, payload: Mapping[str, object], result: str
) -> AppendedEntry:
    from grace_dbt.audit.append import chain_immutable_log, patiently, turn
    from grace_dbt.operational.backend import open_database
    from grace_dbt.operational.url import FileUrl

    settings.ensure_home()
    url = FileUrl("sqlite", own_file(settings))
    with turn(url), open_database(url, write=True) as database:

        def chain() -> AppendedEntry:
            if database.finds("select 1 where not exists (select 1 from sqlite_master)"):
                for statement in _STATEMENTS:
                    database.execute(statement)
            return chain_immutable_log(
                database,
                actor=_operator(),
                action=action,
                resource=resource,
                payload=payload,
                result=result,
                subsystem=SUBSYSTEM,
            )

        return patiently(database, chain, tables=(), place=str(url))


def _operator() -> str:
    """Who gave the command, by the system and not by the environment, which anybody can set."""
    try:
        import pwd

        return f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"operator:{os.getuid()}"
    except ImportError:
        import getpass

        return f"operator:{getpass.getuser()}"


def _warn(what: str, error: Exception) -> None:
    known = error if isinstance(error, GraceError) else unforeseen(error)
    print(f"Warning: {what}: {known.message} {known.hint}", file=sys.stderr)
