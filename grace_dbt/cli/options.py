"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help="Operational database: sqlite:///file or duckdb:///file. "
        "Default: GRACE_OPERATIONAL_URL, else operational.sqlite under GRACE_HOME.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]
Target = Annotated[
    Literal["duckdb", "sqlite"],
    typer.Option(help="dbt target: duckdb, or sqlite over a SQLite database."),
]

# Whatever a command does not know itself goes to dbt as it is.
PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}
