"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

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
