"""The calendar: periods of a length, in UTC, and the days that lie in a span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

GRAINS = ("minute", "hour", "day", "week", "month", "quarter", "year")
DAILY = GRAINS[2:]
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Span:
    """From when (included) to when (not included); None is without an end."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, moment: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        return (
            moment is not None
            and (self.since is None or moment >= self.since)
            and (self.until is None or moment < self.until)
        )

    def before(self) -> Span:
        """The span of the same length right before; one of whole months has as many months before it."""
        assert self.since
        assert self.until
        if _is_first(self.since) and _is_first(self.until):
            months = 12 * (self.until.year - self.since.year) + self.until.month - self.since.month
            ordinal = 12 * self.since.year + self.since.month - 1 - months
            return Span(datetime(ordinal // 12, ordinal % 12 + 1, 1), self.since)
        return Span(self.since - (self.until - self.since), self.since)

    def days(self, known: list[date]) -> list[date]:
        """Those of the known days that it touches."""
        first = self.since.date() if self.since else date.min
        last = (self.until - MICROSECOND).date() if self.until else date.max
        return [day for day in known if first <= day <= last]


def _is_first(moment: datetime) -> bool:
    return moment == datetime(moment.year, moment.month, 1)


def begin(moment: datetime, grain: str) -> datetime:
    """When the period began that a moment lies in; a week begins on Monday."""
    kept = {
        "minute": (moment.hour, moment.minute),
        "hour": (moment.hour, 0),
    }.get(grain, (0, 0))
    day = moment.date()
    if grain == "week":
        year, week, _ = day.isocalendar()
        day = date.fromisocalendar(year, week, 1)
    elif grain == "month":
        day = date(day.year, day.month, 1)
    elif grain == "quarter":
        day = date(day.year, (1, 4, 7, 10)[(day.month - 1) // 3], 1)
    elif grain == "year":
        day = date(day.year, 1, 1)
    return datetime(day.year, day.month, day.day, *kept)


def next_after(period: datetime, grain: str) -> datetime:
    """When the next period begins: far enough into it, and back to its beginning."""
    further = {
        "minute": timedelta(minutes=1),
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(days=7),
        "month": timedelta(days=31),
        "quarter": timedelta(days=92),
        "year": timedelta(days=366),
    }[grain]
    return begin(period + further, grain)


def periods(since: datetime, until: datetime, grain: str) -> list[datetime]:
    """Every period that a span touches."""
    found = []
    period = begin(since, grain)
    while period < until:
        found.append(period)
        period = next_after(period, grain)
    return found
