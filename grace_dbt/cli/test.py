"""`grace-dbt test`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from grace_dbt.cli.options import PASS_THROUGH, AsJson, Database, Target
from grace_dbt.cli.output import print_json, say, to_terminal
from grace_dbt.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings=PASS_THROUGH)(test)


def test(
    dbt_arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on to dbt test, e.g. --select source:core.")
    ] = None,
    db: Database = None,
    target: Target = "duckdb",
    as_json: AsJson = False,
) -> None:
    """Check the data contracts: those of operational tables, and once there is a snapshot those of the cube.

    Every breach counts, also one that only warns in dbt: exit code 1.

    Examples:

        grace-dbt test

        grace-dbt test --select source:governance --json
    """
    from grace_dbt.dbt_commands import test as run
    from grace_dbt.settings import Settings

    results = run(Settings.load(db), dbt_arguments or [], target=target, quiet=True)
    broken = [result for result in results if result.status != "pass"]
    if as_json:
        print_json([asdict(result) for result in results])
    elif broken:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table("contract", "rule", "rows", box=box.SIMPLE_HEAD)
        for result in broken:
            name = result.name.removeprefix("source_operational_contract_").rstrip("_")
            for rule, count in (result.rules or {result.status: result.failures}).items():
                table.add_row(escape(name), escape(rule), f"{count:,}")
        to_terminal().print(table)
    say(f"{len(results)} contracts checked, {len(broken)} broken.")
    raise typer.Exit(ExitCode.BAD if broken else ExitCode.FINE)
