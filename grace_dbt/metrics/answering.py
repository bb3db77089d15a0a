"""From a request to its answer: choose sources, have them compiled, ask, and put the rows together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.answers import Answer
from grace_dbt.metrics.catalogue import Catalogue, Metric, conditions_of
from grace_dbt.metrics.cubes import Cube
from grace_dbt.metrics.periods import Window, last_days
from grace_dbt.metrics.prepared import parameters_of, shape_of
from grace_dbt.metrics.request import Request
from grace_dbt.metrics.shaping import Cells, gather, rows_of
from grace_dbt.metrics.sources import Source, source_of
from grace_dbt.metrics.sql_cache import compiled


def answer_to(cube: Cube, request: Request, home: Path) -> Answer:
    """Answer a request from one cube.

    Args:
        cube: What is asked.
        request: What is asked for.
        home: Directory of grace-dbt's state, which keeps compiled SQL.

    Raises:
        GraceError: The answer is too long (exit code 2), or a definition does not hold (1).
    """
    asked = _Asked(cube, request, home)
    now = asked.of(request.window)
    before = _before(request.window) if request.compare else None
    earlier = (before, asked.of(before)) if before else None
    rows = rows_of(request, now, earlier, asked.known)
    return Answer(
        columns=request.columns,
        rows=rows[: request.limit],
        as_of=cube.as_of,
        snapshot=cube.name,
        sources=asked.sources,
        window=request.window,
        previous=before,
        grain=request.grain,
        clearance=request.clearance,
        truncated=len(rows) > request.limit,
        sql=asked.sql,
    )


class _Asked:
    """The queries of one request."""

    def __init__(self, cube: Cube, request: Request, home: Path) -> None:
        self.cube, self.request, self.home = cube, request, home
        self.sources: dict[str, tuple[str, ...]] = {}
        self.sql: dict[str, str] = {}

    def of(self, window: Window) -> Cells:
        """What is found in one window."""
        request = self.request.over(window)
        groups: dict[Source, list[Metric]] = defaultdict(list)
        for metric in request.metrics:
            groups[source_of(self.cube.catalogue, request, metric)].append(metric)
        cells: Cells = {}
        for source, metrics in groups.items():
            shape = shape_of(
                self.cube.catalogue, request, source, (m.name for m in metrics), self.cube.dialect
            )
            found = compiled(self.cube.catalogue, shape, self.home)
            days = last_days(window, self.known, request.grain or "day").values()
            parameters = parameters_of(
                self.cube.catalogue, request, source, found.sql, days=days, known=self.known
            )
            columns, rows = self.cube.fetch(found.sql, parameters)
            gather(cells, request, found, columns, rows)
            self.sources |= {metric.name: source.tables for metric in metrics}
            told = f"{', '.join(shape.metrics)} from {', '.join(source.tables)}"
            self.sql[told] = found.sql
        return cells

    @cached_property
    def known(self) -> Window:
        """The days that rolling values are told for: where rows are hidden, those that the others tell of."""
        if not any(metric.is_periodic for metric in self.request.metrics):
            return Window()
        if self.request.clearance == self.cube.catalogue.highest:
            return _calendar(self.cube)
        days: set[datetime] = set()
        for probe in _probes(self.cube.catalogue, self.request):
            # A definition that does not hold is told to those who ask for it.
            try:
                found = _Asked(self.cube, probe, self.home).of(probe.window)
            except GraceError as error:
                if error.exit_code != ExitCode.BAD:
                    raise
                continue
            days.update(key[0] for key in found if key[0] is not None)
        return Window(min(days), max(days) + timedelta(days=1)) if days else Window()


def _before(window: Window) -> Window:
    try:
        return window.before()
    except (OverflowError, ValueError):
        raise GraceError(
            "The window before begins before all time.", "Compare a shorter window.", ExitCode.USAGE
        ) from None


def _calendar(cube: Cube) -> Window:
    """The days of the calendar, from the first to the last that any table tells of."""
    spine = "cube.main.dim_time" if cube.dialect == "duckdb" else "cube.dim_time"
    _, [(first, last)] = cube.fetch(f"select min(timestamp), max(timestamp) from {spine}", {})
    return Window(first, last + timedelta(minutes=1)) if first else Window()


def _probes(catalogue: Catalogue, request: Request) -> list[Request]:
    """Questions whose answers are on all days of which a clearance may know: one for each fact."""
    probes: dict[tuple[str, ...], Request] = {}
    for metric in catalogue.visible(request.clearance).values():
        if metric.type == "simple" and not conditions_of(catalogue.declared[metric.name]):
            probes.setdefault(
                metric.models,
                replace(
                    request,
                    metrics=(metric,),
                    by=(),
                    filters=(),
                    window=Window(),
                    grain="day",
                    compare=False,
                ),
            )
    return list(probes.values())
