"""Keep a password that somebody typed on the command line out of the list of processes."""

from __future__ import annotations

import os
import sys
from urllib.parse import unquote

from grace_dbt.operational.url import PASSWORD_VARIABLE
from grace_dbt.redaction import URL_WITH_PASSWORD


def hide_password() -> None:
    """Start this command again with the password in its environment, which only its user can read.

    Every user of the machine can read the arguments of a process, and dbt writes them to its log.
    Does nothing where the arguments hold no password.
    """
    given = {place: found for place, found in enumerate(map(_parts, sys.orig_argv)) if found}
    if not given:
        return
    clean = list(sys.orig_argv)
    for place, (option, start, password, end) in given.items():
        clean[place] = f"{option}{start}@{end}"
        os.environ[PASSWORD_VARIABLE] = unquote(password)
    os.execv(sys.executable, [sys.executable, *clean[1:]])


def _parts(argument: str) -> tuple[str, str, str, str] | None:
    option = "--db=" if argument.startswith("--db=") else ""
    found = URL_WITH_PASSWORD.fullmatch(argument.removeprefix(option))
    return (option, found[1], found[2], found[3]) if found else None
