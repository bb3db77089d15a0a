"""From which table a metric is read: a rollup where that answers exactly, else the facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grace_dbt.metrics.catalogue import (
    TIER,
    Catalogue,
    Metric,
    table_of,
)
from grace_dbt.metrics.periods import GRAINS
from grace_dbt.metrics.request import Request


@dataclass(frozen=True)
class Source:
    """Where some metrics are read from.

    Attributes:
        tables: The published tables that hold what is counted.
        rollup: The name of the rollup; None for facts.
        is_periodic: Whether the metrics look beyond their own period.
    """

    tables: tuple[str, ...]
    rollup: str | None
    is_periodic: bool


def source_of(catalogue: Catalogue, request: Request, metric: Metric) -> Source:
    """Where one metric of a request is read from; the first rollup that answers exactly, as they are declared."""
    for rollup in rollups_of(catalogue, metric):
        if _answers(catalogue, request, metric, rollup):
            return Source((rollup["table"],), rollup["table"], metric.is_periodic)
    tables = tuple(dict.fromkeys(table_of(catalogue.models[model]) for model in metric.models))
    return Source(tables, None, metric.is_periodic)


def rollups_of(catalogue: Catalogue, metric: Metric) -> list[Mapping[str, Any]]:
    """The rollups that may answer for a metric."""
    return catalogue.rollups_of(metric.name, metric.models)


def _answers(
    catalogue: Catalogue, request: Request, metric: Metric, rollup: Mapping[str, Any]
) -> bool:
    """Whether a rollup has all that a request asks of a metric, and tells it to the same rows."""
    words = {*request.by, *(each.word for each in request.filters)}
    if TIER in metric.slices and request.clearance != catalogue.highest:
        words.add(TIER)
    grain = rollup["grain"]
    in_time = metric.is_periodic or (
        request.window.is_aligned(grain)
        and (request.grain is None or GRAINS.index(request.grain) >= GRAINS.index(grain))
    )
    return in_time and words <= {*(rollup.get("slices") or {})}
