"""`grace-dbt status`."""

from __future__ import annotations

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, to_terminal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(as_json: AsJson = False) -> None:
    """Show the published snapshot: where it is, how old it is, how many rows it has.

    Examples:

        grace-dbt status

        grace-dbt status --json
    """
    from grace_dbt.settings import Settings
    from grace_dbt.status import status as read

    facts = read(Settings.load())
    if as_json:
        print_json(facts)
        return
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_row("snapshot", facts["snapshot_path"])
    table.add_row("built at", facts["built_at"])
    table.add_row("lag", f"{facts['lag_seconds']:,.0f} s")
    for name, count in facts["rows"].items():
        table.add_row(name, f"{count:,} rows")
    to_terminal().print(table)
