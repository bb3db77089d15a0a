"""Options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from grace_dbt.errors import ExitCode, GraceError

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="Operational database: sqlite:///file, duckdb:///file, postgresql://user@host/name or "
        "mysql://user@host/name; its password belongs into GRACE_OPERATIONAL_PASSWORD. "
        "Default: GRACE_OPERATIONAL_URL, else operational.sqlite under GRACE_HOME.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]
Target = Annotated[
    Literal["duckdb", "postgres", "sqlite"],
    typer.Option(
        help="dbt target: duckdb; postgres or sqlite build the cube beside such a database."
    ),
]

# Whatever a command does not know itself goes to dbt as it is.
PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}

_LONGEST = 366 * 86400.0
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """Seconds of a length of time that somebody typed, such as 2s, 5m or 1h30m.

    Raises:
        GraceError: It is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds <= _LONGEST:
        raise GraceError(
            f"'{text}' is no length of time.",
            "Use a number with ms, s, m, h or d, e.g. 2s, 5m or 1h30m; a year at most.",
            ExitCode.USAGE,
        )
    return seconds
