"""What a question about metrics is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grace_dbt.metrics.columns import Column
from grace_dbt.metrics.periods import Grain, Window
from grace_dbt.metrics.shaping import Row

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Answer:
    """Rows, and what they were made from.

    Attributes:
        columns: In order.
        rows: One mapping a row, by name of the column. Times are UTC without a zone.
        as_of: When the operational database was read, UTC.
        snapshot: What was asked: the file of the snapshot, or `postgres`.
        sources: The tables that each metric was read from.
        window: From when (included) to when (not included).
        previous: The window before; None where no comparison was asked for.
        grain: Length of the periods.
        clearance: Of who asked.
        truncated: Whether there are more rows than the limit.
        sql: What was run, by its metrics and the tables that it reads.
    """

    columns: tuple[Column, ...]
    rows: list[Row]
    as_of: datetime
    snapshot: str
    sources: Mapping[str, tuple[str, ...]]
    window: Window
    previous: Window | None
    grain: Grain | None
    clearance: str
    truncated: bool
    sql: Mapping[str, str]

    def arrow(self) -> pyarrow.Table:
        """The rows as an Arrow table; times are in UTC, the values of slices are text."""
        import pyarrow

        return pyarrow.table(
            {column.name: self._array(column) for column in self.columns}, metadata=self._metadata()
        )

    def as_json(self) -> dict[str, Any]:
        """All of it in values that JSON has."""
        from grace_dbt.result_values import as_json

        return {
            "metrics": [c.name for c in self.columns if c.kind == "metric"],
            "by": [c.name for c in self.columns if c.kind == "slice"],
            "grain": self.grain,
            "window": _window(self.window),
            "previous_window": _window(self.previous) if self.previous else None,
            "clearance": self.clearance,
            "as_of": self.as_of.isoformat(),
            "snapshot": self.snapshot,
            "source": {name: ", ".join(tables) for name, tables in self.sources.items()},
            "columns": [column.name for column in self.columns],
            "rows": [
                {name: as_json(_zoned(value)) for name, value in row.items()} for row in self.rows
            ],
            "truncated": self.truncated,
        }

    def _array(self, column: Column) -> pyarrow.Array:
        import pyarrow

        values = [row[column.name] for row in self.rows]
        if column.kind == "period":
            return pyarrow.array(values, pyarrow.timestamp("us", tz="UTC"))
        if column.kind == "slice":
            return pyarrow.array([v if v is None else _text(v) for v in values], pyarrow.string())
        whole = (
            column.kind != "change_ratio" and column.metric is not None and column.metric.is_count
        )
        if whole and all(value is None or isinstance(value, int) for value in values):
            return pyarrow.array(values, pyarrow.int64())
        return pyarrow.array([v if v is None else float(v) for v in values], pyarrow.float64())

    def _metadata(self) -> dict[str, str]:
        return {
            "as_of": self.as_of.isoformat(),
            "snapshot": self.snapshot,
            "source": "; ".join(f"{name}: {', '.join(t)}" for name, t in self.sources.items()),
        }


def _window(window: Window) -> dict[str, str | None]:
    return {
        "from": _zoned(window.since).isoformat() if window.since else None,
        "to": _zoned(window.until).isoformat() if window.until else None,
    }


def _zoned(value: Any) -> Any:
    """A time with its zone, which is UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
