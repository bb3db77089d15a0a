"""How a metric is told by hand: over which rows, by which time, and what is made of them; in Python and in SQL."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cube_oracle.source import Row

from metrics_oracle.facts import FACTS

Rows = Sequence[Row]
Test = Callable[[Row], Any]


@dataclass(frozen=True)
class Part:
    """Rows that a metric is told over.

    Attributes:
        fact: Their table.
        time: By which of their times they are told.
        only: Which of them count at all.
        only_sql: The same in SQL, of a row `f` and of the tables that its keys lead to.
    """

    fact: str
    time: str = "created_at"
    only: Test = lambda row: True
    only_sql: str = ""


@dataclass(frozen=True)
class Meaning:
    """One metric.

    Attributes:
        parts: The rows, or two kinds of rows.
        of: What is made of the rows of a group, part by part.
        sql: The same in SQL, over rows `f`; of two parts, `f.part` says which one a row is of.
        is_count: Whether nothing is 0, and not unknown.
        span: For a value that looks beyond its period: `7 days`, `month` (from its first), `all` (from the beginning).
    """

    parts: tuple[Part, ...]
    of: Callable[..., Any]
    sql: str
    is_count: bool = False
    span: str = ""

    @property
    def slices(self) -> frozenset[str]:
        """The words that all parts can be cut by, in the same sense."""
        first, *others = [FACTS[part.fact].slices() for part in self.parts]
        if not others:
            return frozenset(first)
        return frozenset(
            word for word, place in first.items() if place[0] and all(o.get(word) == place for o in others)
        )  # fmt: skip

    def siblings(self, among: Mapping[str, Meaning]) -> list[str]:
        """The others of these that are told over the same rows."""
        return [
            name
            for name, other in among.items()
            if other is not self and (other.parts, other.span) == (self.parts, self.span)
        ]

    def over(self, span: str) -> Meaning:
        """The same, looking back from the last day of each period."""
        return replace(self, span=span)

    def where(self, only: Test, only_sql: str) -> Meaning:
        """The same over some of the rows."""
        [part] = self.parts
        return replace(self, parts=(replace(part, only=only, only_sql=only_sql),))


@dataclass(frozen=True)
class Over:
    """The metrics of one fact."""

    fact: str
    time: str = "created_at"

    def _told(self, of: Callable[[Rows], Any], sql: str, *, is_count: bool = False) -> Meaning:
        return Meaning((Part(self.fact, self.time),), of, sql, is_count=is_count)

    def rows(self) -> Meaning:
        """How many there are."""
        return self._told(len, "count(*)", is_count=True)

    def those(self, test: Test, condition: str) -> Meaning:
        """How many are such."""
        return self._told(lambda rows: number(rows, test), _counted(condition), is_count=True)

    def share(self, test: Test, condition: str, of: Test | None = None, among: str = "") -> Meaning:
        """How many are such, for each of all, or for each of those that are otherwise."""
        whole = _counted(among) if among else "count(*)"
        return self._told(
            lambda rows: ratio(number(rows, test), number(rows, of) if of else len(rows)),
            f"cast({_counted(condition)} as double precision) / nullif({whole}, 0)",
        )

    def total(self, column: str) -> Meaning:
        """The sum of what is known."""
        return self._told(
            lambda rows: sum(known(rows, column)),
            f"coalesce(sum(f.{column}), 0)",
            is_count=True,
        )

    def sums(self, top: str, bottom: str) -> Meaning:
        """One sum for each of another."""
        return self._told(
            lambda rows: ratio(sum(known(rows, top)), sum(known(rows, bottom))),
            f"cast(sum(f.{top}) as double precision) / nullif(sum(f.{bottom}), 0)",
        )

    def mean(self, column: str) -> Meaning:
        """The mean of what is known."""
        return self._told(lambda rows: mean(known(rows, column)), f"avg(f.{column})")

    def largest(self, column: str) -> Meaning:
        """The largest of what is known."""
        return self._told(lambda rows: max(known(rows, column), default=None), f"max(f.{column})")

    def percentile(self, column: str, share: float) -> Meaning:
        """A percentile of what is known."""
        return self._told(
            lambda rows: percentile(known(rows, column), share),
            f"percentile_cont({share}) within group (order by f.{column})",
        )


def per(top: Over, bottom: Over) -> Meaning:
    """Rows of one fact for each row of another."""
    return Meaning(
        (Part(top.fact, top.time), Part(bottom.fact, bottom.time)),
        lambda tops, bottoms: ratio(len(tops), len(bottoms)),
        f"cast({_counted('f.part = 0')} as double precision) / nullif({_counted('f.part = 1')}, 0)",
    )


def number(rows: Rows, test: Test) -> int:
    """How many rows are such."""
    return sum(1 for row in rows if test(row))


def ratio(top: float, bottom: float) -> float | None:
    """One divided by the other; nothing for each of nothing is unknown."""
    return top / bottom if bottom else None


def known(rows: Rows, column: str) -> list[float]:
    """The values that are known."""
    return [row[column] for row in rows if row[column] is not None]


def mean(values: list[float]) -> float | None:
    """Their sum for each of them."""
    return math.fsum(values) / len(values) if values else None


def percentile(values: list[float], share: float) -> float | None:
    """On the line between the two values beside that share of the way from the first to the last."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, beyond = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (beyond - below) * (place - math.floor(place))


def _counted(condition: str) -> str:
    return f"count(case when {condition} then 1 end)"
