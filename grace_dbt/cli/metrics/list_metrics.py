"""`grace-dbt metrics list`."""

from __future__ import annotations

from typing import Annotated

import typer

from grace_dbt.cli.metrics.options import Clearance, MetricsTarget
from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(list_metrics)


def list_metrics(
    word: Annotated[
        str,
        typer.Argument(help="Only metrics with this in their name, label, description or owner."),
    ] = "",
    clearance: Clearance = None,
    target: MetricsTarget = "duckdb",
    as_json: AsJson = False,
) -> None:
    """List the metrics that were published with the newest snapshot.

    Examples:

        grace-dbt metrics list

        grace-dbt metrics list latency

        grace-dbt metrics list --clearance tier_1 --json
    """
    from grace_dbt import metrics
    from grace_dbt.cli.grid import print_grid
    from grace_dbt.cli.metrics.described import described

    found = [
        metric
        for metric in metrics.available(clearance=clearance, target=target).values()
        if word.casefold()
        in " ".join((metric.name, metric.label, metric.description, metric.owner)).casefold()
    ]
    if as_json:
        print_json([described(metric) for metric in found])
        return
    print_grid(
        ["metric", "unit", "better", "clearance", "owner", "what it means"],
        [[m.name, m.unit, m.direction, m.clearance, m.owner, m.description] for m in found],
    )
    say(f"{len(found)} {'metric' if len(found) == 1 else 'metrics'}")
