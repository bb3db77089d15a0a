"""Options that the commands of `grace-dbt metrics` share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Clearance = Annotated[
    str | None,
    typer.Option(
        "--clearance",
        metavar="TIER",
        help="Tier of who asks: metrics above it don't exist, rows of higher tiers are left out. Default: the highest.",
        show_default=False,
    ),
]
MetricsTarget = Annotated[
    Literal["duckdb", "postgres"],
    typer.Option(
        "--target",
        help="duckdb asks the published snapshot; postgres the cube in the database of GRACE_OPERATIONAL_URL.",
    ),
]
