"""What has to be answered: values from the rows of the facts, and what an answer makes of values of any source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cube_oracle.source import Row

from metrics_oracle.facts import Facts
from metrics_oracle.meanings import Part
from metrics_oracle.periods import Span, begin, next_after, periods
from metrics_oracle.questions import METRICS, Question

# A value is found by its period and the values of the slices.
Key = tuple[datetime | None, tuple[Any, ...]]
Values = dict[Key, Any]
# The values of one metric in one window.
Finding = Callable[[str, Question, Span], Values]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Found:
    """What was found in one window, metric by metric, and the days that the cube knows."""

    question: Question
    span: Span
    values: dict[str, Values]
    known: list[date]

    @property
    def keys(self) -> list[Key]:
        """Of every value."""
        return [key for values in self.values.values() for key in values]


def answer(question: Question, as_of: datetime, known: list[date], find: Finding) -> list[Row]:
    """All rows of the answer, in order.

    Args:
        question: What is asked.
        as_of: When the operational rows were read.
        known: The days that the cube tells of.
        find: Where values come from.
    """
    now, before = _found(question, as_of, known, find)
    former = stretch_of(before) if before else []
    rows = []
    for place, period in enumerate(stretch_of(now)):
        for cut in cuts_of(now, before):
            row: Row = {"period": period} if question.told_by else {}
            row |= dict(zip(question.by, cut, strict=True))
            for name in question.metrics:
                row[name] = value = value_of(name, now, (period, cut))
                if before:
                    past = None
                    if place < len(former):
                        past = value_of(name, before, (former[place], cut))
                    row |= compared(name, value, past)
            rows.append(row)
    return rows


def size(question: Question, as_of: datetime, known: list[date], find: Finding) -> int:
    """How many rows the answer has."""
    now, before = _found(question, as_of, known, find)
    return len(stretch_of(now)) * len(cuts_of(now, before))


def from_rows(facts: Facts) -> Finding:
    """Values from the rows of the facts."""

    def find(name: str, question: Question, span: Span) -> Values:
        meaning, grain = METRICS[name], question.told_by
        groups: dict[Key, tuple[list[Row], ...]] = defaultdict(
            lambda: tuple([] for _ in meaning.parts)
        )
        # What looks back counts a row in each period whose last day sees it.
        days = last_days(span, facts.days, grain or "day") if meaning.span else {}
        seen = {period: reach(meaning.span, day) for period, day in days.items()}
        for place, part in enumerate(meaning.parts):
            for row in facts.rows[part.fact]:
                if not _counts(row, part, question):
                    continue
                moment, cut = row[part.time], tuple(row["@"][word] for word in question.by)
                told: list[datetime | None] = [p for p in seen if moment in seen[p]]
                if not meaning.span and moment in span:
                    told = [begin(moment, grain) if grain and moment else None]
                for period in told:
                    groups[period, cut][place].append(row)
        return {key: meaning.of(*rows) for key, rows in groups.items()}

    return find


def last_days(span: Span, known: list[date], grain: str) -> dict[datetime, date]:
    """The last known day of each period of a window."""
    return {begin(_midnight(day), grain): day for day in sorted(span.days(known))}


def reach(span: str, day: date) -> Span:
    """What a value looks back on from a day, which it counts wholly."""
    end = _midnight(day) + DAY
    if span == "all":
        return Span(None, end)
    if span == "month":
        return Span(datetime(day.year, day.month, 1), end)
    count, unit = span.split()
    assert unit == "days"
    return Span(end - int(count) * DAY, end)


def cuts_of(now: Found, before: Found | None) -> list[tuple[Any, ...]]:
    """The values of the slices that are there in one window or the other."""
    if not now.question.by:
        return [()]
    cuts = {cut for _, cut in (*now.keys, *(before.keys if before else ()))}
    return sorted(cuts, key=_unknown_last)


def stretch_of(found: Found) -> list[datetime | None]:
    """The periods of a window, empty ones included; the unknown one, if something is in it, at the end."""
    grain, span = found.question.told_by, found.span
    if grain is None:
        return [None]
    keys = {period for period, _ in found.keys}
    told = sorted(period for period in keys if period is not None)
    since = span.since or (told[0] if told else None)
    until = span.until or (next_after(told[-1], grain) if told else None)
    listed: list[datetime | None] = []
    if since and until:
        listed += periods(since, until, grain)
    return listed + ([None] if None in keys else [])


def value_of(name: str, found: Found, key: Key) -> Any:
    """A value, or what stands where nothing was found."""
    meaning, value = METRICS[name], found.values[name].get(key)
    if value is not None or not meaning.is_count:
        return value
    if not meaning.span:
        return 0
    assert found.question.told_by
    is_known = key[0] in last_days(found.span, found.known, found.question.told_by)
    return 0 if is_known else None


def compared(name: str, value: Any, past: Any) -> Row:
    """A value beside what it was in the window before."""
    change = None if value is None or past is None else value - past
    return {
        f"{name}_previous": past,
        f"{name}_change": change,
        f"{name}_change_ratio": change / abs(past) if past and change is not None else None,
    }


def _found(
    question: Question, as_of: datetime, known: list[date], find: Finding
) -> tuple[Found, Found | None]:
    """What is found in the window, and in the one before if it is to be compared with."""

    def over(span: Span) -> Found:
        values = {name: find(name, question, span) for name in question.metrics}
        return Found(question, span, values, known)

    span = question.span(as_of)
    return over(span), over(span.before()) if question.compare else None


def _counts(row: Row, part: Part, question: Question) -> bool:
    return bool(part.only(row)) and all(c.admits(row["@"][c.word]) for c in question.where)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _unknown_last(cut: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [(value is None, "" if value is None else value) for value in cut]
