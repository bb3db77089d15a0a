"""Values from the published facts and dimensions, in SQL that an analyst would write for DuckDB or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from metrics_oracle.answers import Finding, Key, Values
from metrics_oracle.facts import FACTS, KEYS
from metrics_oracle.meanings import Meaning, Part
from metrics_oracle.periods import Span
from metrics_oracle.questions import METRICS, Condition, Question

Run = Callable[[str], list[tuple[Any, ...]]]
# From when a value looks back, by the last day of its period.
_BEGINNINGS = {
    "7 days": "days.day - interval '6 days'",
    "month": "date_trunc('month', days.day)",
    "all": "timestamp '0001-01-01'",
}


def from_tables(run: Run) -> Finding:
    """Values by plain SQL.

    Args:
        run: Runs one SELECT where the tables of the cube are found by their names.
    """

    def find(name: str, question: Question, span: Span) -> Values:
        found: Values = {}
        for row in run(_Select(METRICS[name], question, span).sql()):
            *cut, value = row
            period = cut.pop(0) if question.told_by else None
            key: Key = (period, tuple(cut))
            assert key not in found, "a group stands twice"
            found[key] = _number(value)
        return found

    return find


class _Select:
    """The query of one metric over one window."""

    def __init__(self, meaning: Meaning, question: Question, span: Span) -> None:
        self.meaning, self.question, self.span = meaning, question, span
        self.grain = question.told_by

    def sql(self) -> str:
        """Columns: the period where there are any, the slices, and the value."""
        periods = [self._period()] if self.grain else []
        groups = [*periods, *map(self._column, self.question.by)]
        words = {*self.question.by, *(condition.word for condition in self.question.where)}
        keys = sorted({key for word in words if (key := self._place(word)[0])})
        joins = [
            f"left join {KEYS[key][0]} as by_{key} on by_{key}.{KEYS[key][1]} = f.{key}"
            for key in keys
        ]
        return " ".join(
            [
                f"select {', '.join([*groups, self.meaning.sql])} from {self._source()}",
                *joins,
                _where(self._conditions()),
                f"group by {', '.join(groups)}" if groups else "",
            ]
        )

    def _period(self) -> str:
        return "days.period" if self.meaning.span else f"date_trunc('{self.grain}', f.told_at)"

    def _source(self) -> str:
        """The rows; those of a value that looks back stand beside the last day of each period that sees them."""
        if not self.meaning.span:
            return f"{self._rows()} as f"
        minutes = (
            "select distinct date_trunc('day', timestamp) as day from dim_time where time_key <> -1"
        )
        span = self.span
        bounds = [f"day >= date_trunc('day', {_literal(span.since)})"] if span.since else []
        bounds += [f"day < {_literal(span.until)}"] if span.until else []
        period = f"date_trunc('{self.grain}', day)"
        days = (
            f"select {period} as period, max(day) as day from ({minutes}) as known"
            f" {_where(bounds)} group by {period}"
        )
        begin = _BEGINNINGS[self.meaning.span]
        return (
            f"({days}) as days inner join {self._rows()} as f"
            f" on f.told_at >= {begin} and f.told_at < days.day + interval '1 day'"
        )

    def _rows(self) -> str:
        """The rows of a metric; those of two facts one below the other."""
        if len(self.meaning.parts) == 1:
            [part] = self.meaning.parts
            return f"(select *, {part.time} as told_at from {part.fact})"
        keys = sorted({self._place(word)[0] for word in self.meaning.slices})
        return "({})".format(
            " union all ".join(_part(n, part, keys) for n, part in enumerate(self.meaning.parts))
        )

    def _conditions(self) -> list[str]:
        conditions = [part.only_sql for part in self.meaning.parts if part.only_sql]
        conditions += map(self._admitted, self.question.where)
        if not self.meaning.span:
            since, until = self.span.since, self.span.until
            conditions += [f"f.told_at >= {_literal(since)}"] if since else []
            conditions += [f"f.told_at < {_literal(until)}"] if until else []
        return conditions

    def _admitted(self, condition: Condition) -> str:
        text = f"cast({self._column(condition.word)} as varchar)"
        values = [_literal(value) for value in condition.values if value is not None]
        either = [f"{text} in ({', '.join(values)})"] if values else []
        either += [f"{text} is null"] if None in condition.values else []
        return f"({' or '.join(either)}) is {'not ' if condition.is_negated else ''}true"

    def _column(self, word: str) -> str:
        key, column = self._place(word)
        return f"by_{key}.{column}" if key else f"f.{column}"

    def _place(self, word: str) -> tuple[str, str]:
        return FACTS[self.meaning.parts[0].fact].slices()[word]


def _part(place: int, part: Part, keys: list[str]) -> str:
    assert not part.only_sql
    columns = ", ".join([f"{place} as part", *keys, f"{part.time} as told_at"])
    return f"select {columns} from {part.fact}"


def _where(conditions: list[str]) -> str:
    return f"where {' and '.join(conditions)}" if conditions else ""


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _number(value: Any) -> Any:
    """PostgreSQL adds up whole numbers to decimals."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
