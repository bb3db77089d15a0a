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

    **Examples**

    `grace-dbt tables`

    `grace-dbt tables --component verification`

    `grace-dbt tables --json`
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
        for heading in ("table", "grain", "mutability", "retention", "label", "PII", "description"):
            grid.add_column(heading, overflow="fold" if heading == "table" else "ellipsis")
        for table in members:
            days = table.retention.days
            words = (
                table.name,
                table.grain,
                table.mutability.replace("_", "-"),
                "no limit" if days is None else f"{days} days",
                table.governance_label,
                ", ".join(table.pii_columns) or "-",
                table.description.split(". ")[0],
            )
            grid.add_row(*map(escape, words))
        console.print(grid)
