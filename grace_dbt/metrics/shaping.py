"""Rows of an answer: periods in which nothing happened are in it, and the window before stands beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import Metric
from grace_dbt.metrics.columns import COMPARED, compared
from grace_dbt.metrics.compiling import Compiled
from grace_dbt.metrics.periods import Window, count, following, last_days, periods
from grace_dbt.metrics.request import MOST_ROWS, Request

# A row is found by its period and its values of the slices.
Key = tuple[datetime | None, tuple[Any, ...]]
Rows = Iterable[tuple[Any, ...]]
Cells = dict[Key, dict[str, Any]]
Row = dict[str, Any]


def gather(
    cells: Cells, request: Request, found: Compiled, columns: Sequence[str], rows: Rows
) -> None:
    """Put the rows of one query among the others.

    Args:
        cells: What there is; added to.
        request: What was asked.
        found: What was run.
        columns: Names of its columns.
        rows: Its rows.
    """
    at = {name: place for place, name in enumerate(columns)}
    period = at[found.period] if found.period else None
    by = [at[found.slices[word]] for word in request.by]
    valued = [(m.name, at[m.name], m.is_count) for m in request.metrics if m.name in at]
    # Periods come again with each slice.
    periods_of: dict[Any, datetime | None] = {}
    for row in rows:
        moment = None
        if period is not None:
            written = row[period]
            if written not in periods_of:
                periods_of[written] = _moment(written)
            moment = periods_of[written]
        cell = cells.setdefault((moment, tuple([row[place] for place in by])), {})
        for name, place, is_count in valued:
            value = row[place]
            if type(value) is Decimal:
                value = _number(value, is_count)
            # Divided by 0, on DuckDB, is unknown as well.
            if value is not None and (type(value) is not float or isfinite(value)):
                cell[name] = value


def rows_of(
    request: Request, now: Cells, before: tuple[Window, Cells] | None, known: Window
) -> list[Row]:
    """The rows of an answer, in order, without a limit.

    Args:
        request: What was asked.
        now: What was found in its window.
        before: The window before, and what was found there; None where no comparison is asked for.
        known: The days that the cube tells of: a rolling value is 0 in periods that have one, and unknown in others.

    Raises:
        GraceError: There would be too many; exit code 2.
    """
    slices = sorted({key[1] for key in (*now, *(before[1] if before else ()))}, key=_sortable)
    if not request.by:
        slices = [()]
    stretch = _periods(request, request.window, now, len(slices))
    told = last_days(request.window, known, request.grain or "day")
    told_before = last_days(before[0], known, request.grain or "day") if before else {}
    earlier: dict[datetime | None, datetime | None] = {}
    if before:
        stretch_before = _periods(request, before[0], before[1], len(slices))
        earlier = dict(zip(stretch, stretch_before, strict=False))
    rows = []
    named = [(values, dict(zip(request.by, values, strict=True))) for values in slices]
    nothing: dict[str, Any] = {}
    for period in stretch:
        begun: Row = {"period": period} if request.grain else {}
        empty = {m.name: _of_nothing(m, period in told) for m in request.metrics}
        past = earlier.get(period)
        is_past = {m.name: _of_nothing(m, past in told_before) for m in request.metrics}
        for values, words in named:
            found = {**empty, **now.get((period, values), nothing)}
            if before is None:
                rows.append({**begun, **words, **found})
                continue
            former = (
                {**is_past, **before[1].get((past, values), nothing)} if period in earlier else {}
            )
            row = {**begun, **words}
            for name, value in found.items():
                row[name] = value
                row |= _compared(name, value, former.get(name))
            rows.append(row)
    return _ordered(request, rows)


def _periods(request: Request, window: Window, cells: Cells, width: int) -> list[datetime | None]:
    """The periods of a window, also those with nothing in them; last the unknown one, if something is in it."""
    if request.grain is None:
        return [None]
    grain = request.grain
    there = {key[0] for key in cells}
    found = {period for period in there if period is not None}
    stretch: list[datetime | None] = []
    if found or (window.since is not None and window.until is not None):
        since = window.since if window.since is not None else min(found)
        until = window.until if window.until is not None else following(max(found), grain)
        asked = count(since, until, grain) * max(width, 1)
        if asked > MOST_ROWS:
            raise GraceError(
                f"The answer would have {asked:,} rows, most of them empty.",
                "Ask for a coarser grain, fewer slices or a shorter window.",
                ExitCode.USAGE,
            )
        stretch += periods(since, until, grain)
    if None in there:
        stretch.append(None)
    return stretch


def _of_nothing(metric: Metric, is_told: bool) -> int | None:
    """A metric where nothing happened: a count is 0, and all else unknown, as is what looks back beyond known days."""
    return 0 if metric.is_count and (is_told or not metric.is_periodic) else None


def _compared(name: str, value: Any, former: Any) -> Row:
    """What a metric was in the window before, and how it changed since."""
    both = value is not None and former is not None
    change = value - former if both else None
    ratio = change / abs(former) if both and former else None
    told = zip(COMPARED, (former, change, ratio), strict=True)
    return {compared(name, kind): each for kind, each in told}


def _ordered(request: Request, rows: list[Row]) -> list[Row]:
    """In the order that is asked for; rows that tie keep that of period and slices, and the unknown comes last."""
    if request.order_by is None:
        return rows
    name = request.order_by
    known = [row for row in rows if row[name] is not None]
    known.sort(key=lambda row: row[name], reverse=request.descending)
    return [*known, *(row for row in rows if row[name] is None)]


def _sortable(values: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    return tuple((value is None, "" if value is None else value) for value in values)


def _moment(value: Any) -> datetime | None:
    """The beginning of a period, without a zone."""
    if value is None or isinstance(value, datetime):
        return value.replace(tzinfo=None) if value is not None and value.tzinfo else value
    return datetime(value.year, value.month, value.day)


def _number(value: Decimal, is_count: bool) -> int | float:
    """A value as Python counts: PostgreSQL sums whole numbers to decimals."""
    return int(value) if is_count and value == value.to_integral_value() else float(value)
