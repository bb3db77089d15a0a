"""The columns of an answer: the period, the slices, each metric, and what it was in the window before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grace_dbt.metrics.catalogue import Metric

Kind = Literal["period", "slice", "metric", "previous", "change", "change_ratio"]
# What a comparison tells beside a metric: its value in the window before, and how it changed since.
COMPARED: tuple[Kind, Kind, Kind] = ("previous", "change", "change_ratio")


@dataclass(frozen=True)
class Column:
    """A column of an answer.

    Attributes:
        name: Its name in each row.
        kind: What it tells.
        metric: Of which metric; None for periods and slices.
    """

    name: str
    kind: Kind
    metric: Metric | None = None


def columns_of(
    metrics: tuple[Metric, ...], by: tuple[str, ...], *, periods: bool, compare: bool
) -> tuple[Column, ...]:
    """The columns of an answer, in order."""
    columns = [Column("period", "period")] if periods else []
    columns += [Column(word, "slice") for word in by]
    for metric in metrics:
        columns.append(Column(metric.name, "metric", metric))
        if compare:
            columns += [Column(compared(metric.name, kind), kind, metric) for kind in COMPARED]
    return tuple(columns)


def compared(name: str, kind: Kind) -> str:
    """What a column of a comparison is called."""
    return f"{name}_{kind}"
