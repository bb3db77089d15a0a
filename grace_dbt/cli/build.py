"""`grace-dbt build`."""

from __future__ import annotations

from typing import Annotated

import typer

from grace_dbt.cli.options import PASS_THROUGH, AsJson, Database, Target
from grace_dbt.cli.output import print_json
from grace_dbt.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings=PASS_THROUGH)(build)


def build(
    dbt_arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on to dbt build, e.g. --select cube.")
    ] = None,
    db: Database = None,
    target: Target = "duckdb",
    as_json: AsJson = False,
) -> None:
    """Run dbt build on the operational database: models, snapshots, reference seeds and tests. Publishes nothing.

    Examples:

        grace-dbt build

        grace-dbt build --select +dim_tier --full-refresh
    """
    from grace_dbt.dbt_commands import build as run
    from grace_dbt.settings import Settings

    outcome = run(Settings.load(db), dbt_arguments or [], target=target, quiet=as_json)
    if as_json:
        nodes = [
            {"name": n.node.name, "status": str(n.status), "message": n.message}
            for n in outcome.nodes
        ]
        print_json({"success": outcome.success, "errors": outcome.errors, "nodes": nodes})
    raise typer.Exit(ExitCode.FINE if outcome.success else ExitCode.BAD)
