"""`grace-dbt tables`: what is declared."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, to_terminal
from grace_dbt.declaration import load_declaration, select_component

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grace_dbt.declaration import Table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tables)


def tables(
    component: Annotated[
        str | None,
        typer.Option("--component", metavar="NAME", help="Only this component, e.g. core."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the declared tables: grain, mutability, retention, label and columns with personal data.

    Examples:

        grace-dbt tables

        grace-dbt tables --component verification

        grace-dbt tables --json
    """
    declared = load_declaration()
    if component is not None:
        declared = select_component(declared, component)
    if as_json:
        print_json([asdict(table) | {"pii": table.pii_columns} for table in declared.values()])
    else:
        _show(declared.values())


def _show(declared: Iterable[Table]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table as Grid

    console = to_terminal()
    for component, members in groupby(declared, key=lambda table: table.component):
        grid = Grid(title=component, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        grid.add_column("table", no_wrap=True)
        grid.add_column("what it holds", overflow="fold")
        for table in members:
            days = table.retention.days
            facts = [
                table.mutability.replace("_", "-"),
                "kept without limit" if days is None else f"kept {days} days",
                table.governance_label,
                *([f"PII: {', '.join(table.pii_columns)}"] if table.pii_columns else []),
            ]
            lines = (
                f"{table.grain}.",
                table.description.split(". ")[0],
                f"[dim]{escape('; '.join(facts))}[/]",
            )
            grid.add_row(escape(table.name), "\n".join((*map(escape, lines[:2]), lines[2])))
        console.print(grid)
