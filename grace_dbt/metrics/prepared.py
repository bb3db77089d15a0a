"""A request without its values: what decides on its SQL, and what is bound to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from grace_dbt.metrics.catalogue import Catalogue
from grace_dbt.metrics.periods import Window, floor
from grace_dbt.metrics.request import Filter, Request
from grace_dbt.metrics.sources import Source

Dialect = Literal["duckdb", "postgres"]
# Names of parameters: the window's beginning and end, last days of periods, tiers of the clearance, the days that it
# may know of, values of a filter.
SINCE, UNTIL, DAYS, CLEARED, KNOWN_SINCE, KNOWN_UNTIL, VALUES = (
    "mq_since", "mq_until", "mq_days", "mq_cleared", "mq_known_since", "mq_known_until", "mq_values_",
)  # fmt: skip
_PARAMETER = re.compile(r"\$(mq_\w+)")


@dataclass(frozen=True)
class Shape:
    """All of a request that decides on its SQL, and nothing that is bound: requests of one shape share their SQL.

    Attributes:
        metrics: Names, of one source.
        source: Where they are read from.
        by: Words of the slices.
        filters: Word, whether values are named, whether the unknown is, whether negated.
        has_since: Whether the window has a beginning.
        has_until: Whether it has an end.
        grain: Length of a period.
        is_cleared: Whether some tiers are left out.
        dialect: Of which database.
    """

    metrics: tuple[str, ...]
    source: Source
    by: tuple[str, ...]
    filters: tuple[tuple[str, bool, bool, bool], ...]
    has_since: bool
    has_until: bool
    grain: str | None
    is_cleared: bool
    dialect: Dialect


def shape_of(
    catalogue: Catalogue, request: Request, source: Source, metrics: Iterable[str], dialect: Dialect
) -> Shape:
    """What decides on the SQL of these metrics of a request."""
    return Shape(
        metrics=tuple(sorted(metrics)),
        source=source,
        by=tuple(sorted(request.by)),
        filters=tuple(
            (f.word, any(v is not None for v in f.values), None in f.values, f.negated)
            for f in request.filters
        ),
        has_since=request.window.since is not None,
        has_until=request.window.until is not None,
        grain=request.grain,
        is_cleared=request.clearance != catalogue.highest,
        dialect=dialect,
    )


def parameters_of(
    catalogue: Catalogue,
    request: Request,
    source: Source,
    sql: str,
    *,
    days: Iterable[datetime] = (),
    known: Window | None = None,
) -> dict[str, Any]:
    """The values that the SQL of a request binds.

    Args:
        catalogue: The metrics.
        request: What is asked for.
        source: Where it is read from.
        sql: As it was compiled.
        days: The last day of each period, of which rolling values are told.
        known: The days of which the clearance may know.
    """
    since = request.window.since
    if since is not None and source.is_periodic:
        since = floor(since, request.grain or "day")  # the first period is in, also where it is cut
    values = {
        SINCE: since,
        UNTIL: request.window.until,
        DAYS: list(days),
        KNOWN_SINCE: known.since if known else None,
        KNOWN_UNTIL: known.until if known else None,
        CLEARED: list(catalogue.cleared_for(request.clearance)),
        **{f"{VALUES}{n}": _known_values(each) for n, each in enumerate(request.filters)},
    }
    named = set(_PARAMETER.findall(sql))
    return {name: value for name, value in values.items() if name in named}


def for_psycopg(sql: str) -> str:
    """The same SQL with parameters as psycopg writes them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _known_values(each: Filter) -> list[str]:
    return [value for value in each.values if value is not None]
