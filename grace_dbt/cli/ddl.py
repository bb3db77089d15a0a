"""`grace-dbt ddl`: the schema as a script."""

from __future__ import annotations

from typing import Annotated

import typer

from grace_dbt.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ddl)


def ddl(
    dialect: Annotated[
        str,
        typer.Option(
            "--dialect", metavar="ENGINE", help="sqlite, duckdb, postgres, mysql or mariadb."
        ),
    ] = "sqlite",
) -> None:
    """Print the complete operational schema as a SQL script. Needs no database.

    Examples:

        grace-dbt ddl --dialect sqlite | sqlite3 grace.db

        grace-dbt ddl --dialect postgres | psql grace

        grace-dbt ddl --dialect duckdb > schema.sql
    """
    from grace_dbt.operational.plan import complete_script

    # Whatever database is configured, even a wrong one: only GRACE_HOME matters here.
    typer.echo(complete_script(dialect, Settings.load("sqlite:///none")))
