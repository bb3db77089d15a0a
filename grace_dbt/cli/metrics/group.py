"""`grace-dbt metrics`: the commands of the metrics."""

from __future__ import annotations

import typer

from grace_dbt.cli.metrics import describe, list_metrics, query, validate


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        name="metrics",
        help="Ask for metrics by name: each is defined once, and means the same everywhere.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for command in (list_metrics, describe, query, validate):
        command.register(group)
    app.add_typer(group)
