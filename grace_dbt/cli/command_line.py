"""Keep a password that somebody typed on the command line out of the list of processes."""

from __future__ import annotations

import os
import re
import sys
from urllib.parse import unquote

from grace_dbt.operational.url import PASSWORD_VARIABLE

_URL_WITH_PASSWORD = re.compile(r"(?s)((?:--db=)?\w+://[^:@/?#]*):([^?]*)@(.*)")


def hide_password() -> None:
    """Start this command again with the password in its environment, which only its user can read.

    Every user of the machine can read the arguments of a process, and dbt writes them to its log.
    Does nothing where the arguments hold no password.
    """
    clean = [_URL_WITH_PASSWORD.sub(r"\1@\3", argument) for argument in sys.orig_argv]
    if clean == sys.orig_argv:
        return
    given = next(m for m in map(_URL_WITH_PASSWORD.fullmatch, sys.orig_argv) if m)
    os.environ[PASSWORD_VARIABLE] = unquote(given[2])
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *clean[1:]])


def redacted(text: str) -> str:
    """A text of unknown origin without the passwords that this process knows."""
    url = os.environ.get("GRACE_OPERATIONAL_URL", "")
    known = [os.environ.get(name, "") for name in (PASSWORD_VARIABLE, "PGPASSWORD", "MYSQL_PWD")]
    if given := _URL_WITH_PASSWORD.fullmatch(url):
        known += [given[2], unquote(given[2])]
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
