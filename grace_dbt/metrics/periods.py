"""Periods of time: days, weeks, months and so on, in UTC without a zone, as the cube's times are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Grain = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]
# Finest first.
GRAINS: tuple[Grain, ...] = get_args(Grain)

_STEPS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Window:
    """A span of time.

    Attributes:
        since: Its beginning, included; None from the beginning of all.
        until: Its end, not included; None without an end.
    """

    since: datetime | None = None
    until: datetime | None = None

    def is_aligned(self, grain: Grain) -> bool:
        """Whether it begins and ends where periods of this grain do."""
        return all(each is None or floor(each, grain) == each for each in (self.since, self.until))

    def before(self) -> Window:
        """The window of the same length right before this one; whole months go back by months.

        Raises:
            OverflowError: It would begin before time does.
        """
        assert self.since is not None
        assert self.until is not None
        if self.is_aligned("month"):
            months = (self.until.year - self.since.year) * 12 + self.until.month - self.since.month
            return Window(_months_later(self.since, -months), self.since)
        return Window(self.since - (self.until - self.since), self.since)


def floor(moment: datetime, grain: Grain) -> datetime:
    """The beginning of the period that a moment lies in; weeks begin on Monday (ISO 8601)."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if grain == "minute":
        return moment.replace(second=0, microsecond=0)
    if grain == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    if grain == "day":
        return midnight
    if grain == "week":
        return midnight - timedelta(days=midnight.weekday())
    months = _MONTHS[grain]
    return midnight.replace(day=1, month=(midnight.month - 1) // months * months + 1)


def following(period: datetime, grain: Grain) -> datetime:
    """The beginning of the next period."""
    if grain in _STEPS:
        return period + _STEPS[grain]
    return _months_later(period, _MONTHS[grain])


def count(since: datetime, until: datetime, grain: Grain) -> int:
    """How many periods a span touches, at least roughly from above; cheap also for a huge one."""
    shortest = _STEPS.get(grain) or timedelta(days=28 * _MONTHS[grain])
    return max(0, (until - floor(since, grain)) // shortest + 1)


def periods(since: datetime, until: datetime, grain: Grain) -> Iterator[datetime]:
    """The beginnings of the periods that a span touches, the first one also where the span begins within it."""
    period = floor(since, grain)
    while period < until:
        yield period
        period = following(period, grain)


def last_days(window: Window, known: Window, grain: Grain) -> dict[datetime, datetime]:
    """The last day of each period, by the period: of those days that are known and that the window touches."""
    if known.since is None or known.until is None:
        return {}
    since, until = known.since, known.until
    if window.since is not None:
        since = max(since, window.since)
    if window.until is not None:
        until = min(until, window.until)
    return {floor(day, grain): day for day in periods(since, until, "day")}


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    if not 1 <= moment.year + years <= 9999:
        raise OverflowError("before or after all time")
    return moment.replace(year=moment.year + years, month=month + 1)
