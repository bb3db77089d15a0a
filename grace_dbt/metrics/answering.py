"""From a request to its answer: choose sources, have them compiled, ask, and put the rows together."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.answers import Answer, columns_of
from grace_dbt.metrics.catalogue import Metric
from grace_dbt.metrics.compiling import parameters_of, shape_of
from grace_dbt.metrics.cubes import Cube
from grace_dbt.metrics.periods import Window
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
    rows = rows_of(request, now, earlier, _known(cube) if asked.is_periodic else None)
    return Answer(
        columns=columns_of(request.metrics, request.by, request.grain, request.compare),
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
        self.is_periodic = any(metric.is_periodic for metric in request.metrics)

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
            parameters = parameters_of(self.cube.catalogue, request, source, found.sql)
            columns, rows = self.cube.fetch(found.sql, parameters)
            gather(cells, request, found, columns, rows)
            self.sources |= {metric.name: source.tables for metric in metrics}
            self.sql[", ".join(source.tables)] = found.sql
        return cells


def _before(window: Window) -> Window:
    try:
        return window.before()
    except (OverflowError, ValueError):
        raise GraceError(
            "The window before begins before all time.", "Compare a shorter window.", ExitCode.USAGE
        ) from None


def _known(cube: Cube) -> Window:
    """The days that the cube tells of."""
    spine = "cube.main.dim_time" if cube.dialect == "duckdb" else "cube.dim_time"
    _, [(first, last)] = cube.fetch(f"select min(timestamp), max(timestamp) from {spine}", {})
    return Window(first, last + timedelta(minutes=1)) if first else Window()
