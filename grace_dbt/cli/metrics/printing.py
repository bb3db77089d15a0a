"""Answers about metrics on paper: bytes of a file, or a table with small charts."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from grace_dbt.cli.grid import print_grid
from grace_dbt.result_values import as_text, printable

if TYPE_CHECKING:
    from grace_dbt.metrics.answers import Answer
    from grace_dbt.metrics.catalogue import Metric
    from grace_dbt.metrics.columns import Column
    from grace_dbt.metrics.periods import Grain

NOTHING = "-"
# Eighths of a character, from nothing to full; the same marks make lines of history and bars.
_HEIGHTS = "▁▂▃▄▅▆▇█"
_WIDTHS = "▏▎▍▌▋▊▉█"
_BAR = 16
_LONGEST_LINE = 60
_MOST_LINES = 20
_PERIODS: dict[Grain, str] = {
    "minute": "%Y-%m-%d %H:%M",
    "hour": "%Y-%m-%d %H:%M",
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d",
    "month": "%Y-%m",
    "quarter": "%Y-%m",
    "year": "%Y",
}


def as_bytes(answer: Answer, shape: str) -> bytes:
    """An answer as a file of JSON, CSV or Parquet."""
    if shape == "json":
        return (json.dumps(answer.as_json(), indent=2, ensure_ascii=False) + "\n").encode()
    if shape == "csv":
        record = answer.as_json()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(record["columns"])
        writer.writerows(
            [as_text(row[name]) for name in record["columns"]] for row in record["rows"]
        )
        return text.getvalue().encode()
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(answer.arrow(), sink)
    return bytes(sink.getvalue())


def print_answer(answer: Answer) -> None:
    """Print a table, and what its numbers look like."""
    rows = [
        [_cell(answer, column, row[column.name]) for column in answer.columns]
        for row in answer.rows
    ]
    names = [_heading(column) for column in answer.columns]
    charted = next(column for column in answer.columns if column.kind == "metric")
    fancy = _draws(sys.stdout.encoding)
    if fancy and answer.grain is None and len(answer.rows) > 1:
        names.append("")
        for row, bar in zip(rows, bars([r[charted.name] for r in answer.rows]), strict=True):
            row.append(bar)
    right = {place for place, column in enumerate(answer.columns) if column.metric is not None}
    print_grid(names, rows, right=right)
    if fancy and answer.grain is not None and len(answer.rows) > 1:
        _print_lines(answer, charted)


def figure(value: Any, metric: Metric) -> str:
    """A value in its unit, rounded for people."""
    if value is None:
        return NOTHING
    if metric.unit == "ratio":
        return f"{value * 100:.1f} %"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    digits = 1 if abs(value) >= 100 else 3
    text = f"{value:,.{digits}f}"
    return f"{text} s" if metric.unit == "seconds" else text


def bars(values: list[float | None]) -> list[str]:
    """A bar for each value, as long as its share of the largest; none for what is unknown or below 0."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    largest = max([0, *known])
    found = []
    for value in values:
        if value is None or not math.isfinite(value) or value <= 0:
            found.append("")
            continue
        eighths = max(1, round(value / largest * _BAR * 8))
        full, rest = divmod(eighths, 8)
        found.append(_WIDTHS[-1] * full + (_WIDTHS[rest - 1] if rest else ""))
    return found


def line_of(values: list[float | None]) -> str:
    """A line of history: each value by its place between the least and the largest; a space where there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return " " * len(values)
    least, largest = min(known), max(known)
    span = (largest - least) or 1
    return "".join(
        " "
        if value is None or not math.isfinite(value)
        else _HEIGHTS[round((value - least) / span * (len(_HEIGHTS) - 1))]
        for value in values
    )


def _print_lines(answer: Answer, column: Column) -> None:
    """One line of history for each combination of slices, the last periods of it."""
    assert column.metric is not None
    words = [each.name for each in answer.columns if each.kind == "slice"]
    series: dict[tuple[Any, ...], list[float | None]] = defaultdict(list)
    for row in answer.rows:
        if row["period"] is not None:
            series[tuple(row[word] for word in words)].append(row[column.name])
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(printable(column.name), "dim"))
    for values, numbers in list(series.items())[:_MOST_LINES]:
        shown = numbers[-_LONGEST_LINE:]
        known = [n for n in shown if n is not None]
        ends = (
            f"{figure(min(known), column.metric)} to {figure(max(known), column.metric)}"
            if known
            else NOTHING
        )
        label = ", ".join(printable(as_text(value, null=NOTHING)) for value in values)
        console.print(Text(f"{line_of(shown)}  {label + '  ' if label else ''}{ends}"))
    if len(series) > _MOST_LINES:
        console.print(Text(f"and {len(series) - _MOST_LINES} more", "dim"))


def _heading(column: Column) -> str:
    return {"previous": "before", "change": "change", "change_ratio": "change %"}.get(
        column.kind, column.name
    )


def _cell(answer: Answer, column: Column, value: Any) -> str:
    if column.kind == "period":
        return (
            value.strftime(_PERIODS[answer.grain])
            if isinstance(value, datetime) and answer.grain
            else "unknown"
        )
    if column.metric is None:
        return as_text(value, null=NOTHING)
    if value is None:
        return NOTHING
    if column.kind == "change_ratio":
        return f"{value * 100:+.1f} %"
    if column.kind == "change":
        points = (
            column.metric.unit == "ratio"
        )  # a rate that falls from 50 % to 40 % falls by 10 points
        return (
            f"{value * 100:+.1f} pts"
            if points
            else f"{'+' * (value > 0)}{figure(value, column.metric)}"
        )
    return figure(value, column.metric)


def _draws(encoding: str | None) -> bool:
    """Whether a terminal can show the marks."""
    try:
        (_HEIGHTS + _WIDTHS).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
