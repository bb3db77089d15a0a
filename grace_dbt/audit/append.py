"""Append to the chains of Grace, beside any number of other writers: one chain, no fork, no gap, nothing lost.

A writer reads the end of the chain and seals its entry to it within one transaction, which keeps all others off from
its beginning. What it commits is as durable as the rest of the database; a writer that is killed leaves nothing behind.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grace_dbt.audit.formats import GENESIS, ZEROS, chain_hash, content_hash, entry_hash
from grace_dbt.errors import ExitCode, GraceError, listed
from grace_dbt.operational import backend
from grace_dbt.operational.backend import Backend, Row, open_database, turn_of
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.visible_text import shown

LEVEL = "democratic_oversight"  # the disclosure that Grace gives to what nobody decided on
# Bytes of one entry: a server takes 16 MiB a statement, and each quote in it counts twice.
MOST_BYTES = 4 * 2**20
MOST_LEVELS = 200  # of nested data: a chain is verified down to 500
# Characters that fit a key or an index on every engine.
LONGEST = {"category": 200, "subsystem": 255}
LOOKED_AT = 200  # newest entries among which the first one of a segment is looked for
BACK_OFF = (0.01, 0.5)  # seconds at first, and at most, before an entry is tried again
# Seconds in which a DuckDB file is left to other processes, which look ten times a second.
PAUSE = 0.02


@dataclass(frozen=True)
class AppendedEntry:
    """An entry that was committed.

    Attributes:
        chain: `audit_logs` or `immutable_log`.
        entry_id: Key of its row.
        position: In its segment, from 0; of the immutable log its sequence, from 1.
        chain_hash: What seals it: 64 hex digits.
        previous_hash: What seals its predecessor, or what stands there without one.
        timestamp: As stored: UTC without an offset, with microseconds.
    """

    chain: str
    entry_id: str
    position: int
    chain_hash: str
    previous_hash: str
    timestamp: str


@dataclass(frozen=True)
class _End:
    """The entry that the next one follows."""

    position: int
    seal: str
    timestamp: object


def append_audit_log(
    url: str | OperationalUrl,
    *,
    category: str,
    data: Mapping[str, object],
    level: str = LEVEL,
) -> AppendedEntry:
    """Append an entry to the audit log, and count it for its category; others may append at the same time.

    Args:
        url: The operational database; its tables must exist.
        category: The kind of event, up to 200 characters.
        data: What happened: anything that JSON can say, in an object.
        level: How widely it may be disclosed.

    Raises:
        GraceError: The entry can't be kept as it is (exit code 2), or the database is missing, can't be written, or is
            held by others for too long (3). Nothing was written then.
    """
    return _committed(
        url,
        ("audit_logs", "log_categories"),
        lambda database: chain_audit_log(database, category=category, data=data, level=level),
        checked=lambda: _checked_audit(category, data, level),
    )


def append_immutable_log(
    url: str | OperationalUrl,
    *,
    actor: str,
    action: str,
    resource: str | None,
    payload: str | Mapping[str, object] | None,
    result: str | None,
    subsystem: str | None = None,
) -> AppendedEntry:
    """Append an entry to the immutable log; others may append at the same time.

    Args:
        url: The operational database; its tables must exist.
        actor: Who did it.
        action: What was done, mostly in dotted form.
        resource: What it was done to.
        payload: Details, as JSON text that is kept byte for byte, or as an object.
        result: How it ended.
        subsystem: Which part of Grace tells it, up to 255 characters; not covered by the hash.

    Raises:
        GraceError: As `append_audit_log`.
    """
    said: dict[str, Any] = {
        "actor": actor,
        "action": action,
        "resource": resource,
        "payload": payload,
        "result": result,
        "subsystem": subsystem,
    }
    return _committed(
        url,
        ("immutable_log",),
        lambda database: chain_immutable_log(database, **said),
        checked=lambda: _checked_log(**said),
    )


def chain_audit_log(
    database: Backend, *, category: str, data: Mapping[str, object], level: str = LEVEL
) -> AppendedEntry:
    """`append_audit_log` within the transaction that is open; where others are in its way, it has to be run again.

    Raises:
        GraceError: The entry can't be kept as it is (exit code 2), or the database refuses it (3).
    """
    text = _checked_audit(category, data, level)
    database.hold("audit_logs")
    end = _end_of_audit_log(database)
    previous, position = (end.seal, end.position + 1) if end else (GENESIS, 0)
    moment = _moment_after(end)
    timestamp = moment.isoformat(timespec="microseconds")
    entry_id = f"{category}_{moment:%Y%m%d_%H%M%S}_{position:06d}"
    content = content_hash(
        entry_id, category=category, data=json.loads(text), level=level, timestamp=timestamp
    )
    seal = chain_hash(content, previous=previous, position=position)
    database.add(
        "audit_logs",
        {
            "entry_id": entry_id,
            "category": category,
            "data_json": text,
            "transparency_level": level,
            "timestamp": timestamp,
            "hash": content,
            "previous_hash": previous,
            "chain_hash": seal,
            "chain_position": position,
            "verified": 1,
        },
    )
    _count_category(database, category, timestamp, level)
    return AppendedEntry("audit_logs", entry_id, position, seal, previous, timestamp)


def chain_immutable_log(
    database: Backend,
    *,
    actor: str,
    action: str,
    resource: str | None,
    payload: str | Mapping[str, object] | None,
    result: str | None,
    subsystem: str | None = None,
) -> AppendedEntry:
    """`append_immutable_log` within the transaction that is open; where others are in its way, it has to be run again.

    Raises:
        GraceError: As `chain_audit_log`.
    """
    text = _checked_log(
        actor=actor, action=action, resource=resource, payload=payload, result=result,
        subsystem=subsystem,
    )  # fmt: skip
    database.hold("immutable_log")
    newest = database.run(
        "select sequence, entry_hash, timestamp from immutable_log"
        f" order by sequence desc limit 1{database.for_update}",
        [],
    )
    end = _end(newest[0]) if newest else None
    previous, sequence = (end.seal, end.position + 1) if end else (ZEROS, 1)
    timestamp = _moment_after(end).isoformat(" ", timespec="microseconds")
    seal = entry_hash(
        sequence,
        actor=actor,
        action=action,
        resource=resource,
        payload=text,
        result=result,
        previous=previous,
    )
    number = database.add_counted(
        "immutable_log",
        {
            "sequence": sequence,
            "actor": actor,
            "action": action,
            "resource": resource,
            "subsystem": subsystem,
            "payload": text,
            "result": result,
            "entry_hash": seal,
            "previous_hash": previous,
            "timestamp": timestamp,
        },
    )
    return AppendedEntry("immutable_log", str(number), sequence, seal, previous, timestamp)


# --- the transaction


def _committed(
    url: str | OperationalUrl,
    tables: tuple[str, ...],
    chain: Callable[[Backend], AppendedEntry],
    *,
    checked: Callable[[], object],
) -> AppendedEntry:
    """Append in a transaction of its own, again and again while others are in its way."""
    checked()  # before anybody is kept waiting
    if isinstance(url, str):
        url = OperationalUrl.parse(url)
    url.require_present()
    with turn(url), open_database(url, write=True) as database:
        return patiently(database, lambda: chain(database), tables=tables, place=str(url))


def patiently(
    database: Backend,
    chain: Callable[[], AppendedEntry],
    *,
    tables: tuple[str, ...],
    place: str,
) -> AppendedEntry:
    """Append in transactions of its own until one is committed, for as long as a command waits for others.

    Raises:
        GraceError: The database lacks a table, refuses the entry, or was held by others for too long. Nothing was
            written then.
    """
    pause, longest = BACK_OFF
    deadline = time.monotonic() + backend.WAIT_SECONDS
    while True:
        try:
            with database.transaction():
                return chain()
        except GraceError as error:
            if not database.was_in_the_way(error):
                _require_tables(database, tables, place)
                raise
            if time.monotonic() > deadline:
                raise GraceError(
                    f"Others were writing to {place} for more than {backend.WAIT_SECONDS:.0f} seconds.",
                    "Append again when they are done; nothing was written.",
                ) from error
        # Writers that failed together must not come back together.
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, longest)


@contextmanager
def turn(url: OperationalUrl) -> Iterator[None]:
    """Let one thread at a time have a file, and other processes find a DuckDB file closed in between."""
    if not isinstance(url, FileUrl):
        yield
        return
    with turn_of(url.path):
        yield
        if url.dialect == "duckdb":
            time.sleep(PAUSE)


def _require_tables(database: Backend, tables: tuple[str, ...], place: str) -> None:
    """Say that a table is missing, where that is why the database refused."""
    try:
        present = database.reflect(tables).tables
    except GraceError:
        return  # what it refused first says more
    missing = [table for table in tables if table not in present]
    if missing:
        raise GraceError(
            f"The database {place} lacks {listed(missing)}; nothing was written.",
            f"Create the tables first: grace-dbt init --db {place}",
        )


# --- the end of a chain


def _end_of_audit_log(database: Backend) -> _End | None:
    """The last entry of the newest segment, which is the one whose first entry is the latest; found by indexes.

    Where there is but one segment, the highest position is its end, whatever the clocks said. Of several ones the end
    is what came last; only where the newest has just begun, others may still go on, and its links are followed.
    """
    known = "from audit_logs where chain_hash is not null"
    columns, mark = "chain_position, chain_hash, timestamp, previous_hash", database.value_mark
    highest = database.run(
        f"select {columns} {known} and chain_position is not null"
        f" order by chain_position desc limit 1{database.for_update}",
        [],
    )
    if not highest:
        return None
    [(segments, newest)] = database.run(
        "select count(*), max(timestamp) from audit_logs where chain_position = 0", []
    )
    if int(str(segments)) < 2:
        return _end(highest[0])
    # Without a word on positions: MySQL would then sort all rows instead of going by the index of the time.
    latest = database.run(
        f"select {columns} {known} order by timestamp desc limit {LOOKED_AT}{database.for_update}",
        [],
    )
    placed = [row for row in latest if row[0] is not None]
    begun = [row for row in placed if row[0] == 0 and row[2] == newest]
    end = _end((begun or placed or highest)[0])
    links = {(row[0], row[3]): row for row in placed}
    while True:
        here = links.get((end.position + 1, end.seal))
        # An entry of a clock that was set back is not among the latest.
        there = [here] if here else database.run(
            f"select {columns} {known} and chain_position = {mark} and previous_hash = {mark}"
            f" limit 1{database.for_update}",
            [end.position + 1, end.seal],
        )  # fmt: skip
        if not there:
            return end
        end = _end(there[0])


def _end(row: Row) -> _End:
    position, seal, timestamp, *_ = row
    try:
        return _End(int(str(position)), str(seal), timestamp)
    except ValueError:
        raise GraceError(
            f"The newest entry can't be gone on from: its position is {shown(position)}.",
            "See what was done to the chain: grace-dbt audit verify",
            ExitCode.BAD,
        ) from None


def _moment_after(end: _End | None) -> datetime:
    """Now, in UTC without an offset; a clock that was set back does not put an entry before its predecessor."""
    now = datetime.now(UTC).replace(tzinfo=None)
    before = end.timestamp if end else None
    try:
        moment = before if isinstance(before, datetime) else datetime.fromisoformat(str(before))
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return now
    return max(now, moment)


def _count_category(database: Backend, category: str, timestamp: str, level: str) -> None:
    mark = database.value_mark
    where = f"from log_categories where category = {mark}"
    if not database.run(f"select 1 {where}{database.for_update}", [category]):
        database.add(
            "log_categories",
            {
                "category": category,
                "entry_count": 1,
                "last_entry_timestamp": timestamp,
                "transparency_level": level,
            },
        )
        return
    database.run(
        "update log_categories set entry_count = coalesce(entry_count, 0) + 1,"
        f" last_entry_timestamp = {mark}, transparency_level = {mark} where category = {mark}",
        [timestamp, level, category],
    )


# --- what can be kept


def _checked_audit(category: str, data: Mapping[str, object], level: str) -> str:
    """The data as JSON, in the one spelling by which it is hashed."""
    _require_words(category=category, level=level)
    if not isinstance(data, Mapping):
        raise _usage(
            f"The data is no JSON object but {_kind(data)}.",
            'Give an object, e.g. {"reason": "quarterly review"}.',
        )
    text = _json(data)
    _require_fits(category=category, level=level, data=text)
    return text


def _checked_log(
    *,
    actor: str,
    action: str,
    resource: str | None,
    payload: str | Mapping[str, object] | None,
    result: str | None,
    subsystem: str | None,
) -> str | None:
    """The payload as it is stored."""
    _require_words(actor=actor, action=action)
    text = _json(payload) if isinstance(payload, Mapping) else payload
    _require_fits(
        actor=actor, action=action, resource=resource, payload=text, result=result,
        subsystem=subsystem,
    )  # fmt: skip
    return text


def _json(data: Mapping[str, object]) -> str:
    try:
        plain = json.loads(json.dumps(dict(data), allow_nan=False))
        text = json.dumps(plain, sort_keys=True)
        # DuckDB does not read an escape of half a character.
        json.dumps(plain, ensure_ascii=False).encode()
        depth = _depth(plain)
    except RecursionError:
        depth = MOST_LEVELS + 1
    except UnicodeEncodeError:
        raise _usage(
            "The data holds half a character (a lone surrogate).", "Give it as valid Unicode."
        ) from None
    except (TypeError, ValueError) as error:
        raise _usage(
            f"The data is not what JSON can say: {error}.",
            "Use texts, finite numbers, true, false, null, lists and objects.",
        ) from None
    if depth > MOST_LEVELS:
        raise _usage(
            f"The data is nested deeper than {MOST_LEVELS} levels.", "Give it in a flatter form."
        )
    return text


def _depth(data: object) -> int:
    """How many objects and lists stand in each other."""
    level, depth = [data], 0
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [
            inner for part in level for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth


def _require_words(**given: object) -> None:
    for name, text in given.items():
        if not isinstance(text, str) or not text.strip():
            raise _usage(f"The {name} is empty.", f"Give a {name} of at least one character.")


def _require_fits(**given: str | None) -> None:
    """Fail on what an engine can't keep, or would keep otherwise than the others do."""
    size = 0
    for name, text in given.items():
        if text is None:
            continue
        if not isinstance(text, str):
            raise _usage(f"The {name} is no text but {_kind(text)}.", "Give a text.")
        if "\0" in text:
            raise _usage(
                f"The {name} holds a NUL character, which PostgreSQL can't store.", "Leave it out."
            )
        if len(text) > LONGEST.get(name, MOST_BYTES):
            raise _usage(
                f"The {name} has {len(text):,} characters.",
                f"Up to {LONGEST.get(name, MOST_BYTES):,} can be kept.",
            )
        try:
            size += len(text.encode())
        except UnicodeEncodeError:
            raise _usage(
                f"The {name} holds half a character (a lone surrogate).",
                "Give it as valid Unicode.",
            ) from None
    if size > MOST_BYTES:
        raise _usage(
            f"The entry has {size:,} bytes.",
            f"Up to {MOST_BYTES:,} can be kept: log the SHA-256 of what is larger, and keep it elsewhere.",
        )


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", int: "a number"}
    names |= {float: "a number", type(None): "null"}
    return names.get(type(value), f"a {type(value).__name__}")


def _usage(message: str, hint: str) -> GraceError:
    return GraceError(message, hint, ExitCode.USAGE)
