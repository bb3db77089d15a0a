"""`grace-dbt metrics describe`."""

from __future__ import annotations

from typing import Annotated

import typer

from grace_dbt.cli.metrics.options import Clearance, MetricsTarget
from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(describe)


def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The metric.")],
    clearance: Clearance = None,
    target: MetricsTarget = "duckdb",
    as_json: AsJson = False,
) -> None:
    """Say all that is known of a metric: what it means, how it is computed, what it can be cut by, who answers for it.

    Examples:

        grace-dbt metrics describe verification_success_rate

        grace-dbt metrics describe duration_p95 --json
    """
    from grace_dbt import metrics
    from grace_dbt.cli.grid import print_grid
    from grace_dbt.cli.metrics.described import described

    metric = metrics.metric(name, clearance=clearance, target=target)
    record = described(metric)
    if as_json:
        print_json(record)
        return
    record["slices"] = "\n".join(f"{word}: {text}" for word, text in record["slices"].items())
    rows = [
        [key.replace("_", " "), ", ".join(value) if isinstance(value, list) else value]
        for key, value in record.items()
        if value
    ]
    print_grid(None, rows)
