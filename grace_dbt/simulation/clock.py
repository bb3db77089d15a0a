"""The span of a simulated history, and its moments as text: integers, no datetime arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

SECOND = 1_000_000  # moments are whole microseconds since 1970, UTC
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Clock:
    """Formats moments of one span.

    Attributes:
        first: The earliest moment of the history, a whole second, microseconds since 1970.
        last: The latest moment, a whole second at or before the end that was asked for.
    """

    def __init__(self, end: datetime, days: int) -> None:
        """Span the given number of days up to `end`, which carries a time zone."""
        end_us = (end - _EPOCH) // timedelta(microseconds=1)
        self.last = end_us // SECOND * SECOND
        self.first = -(-(end_us - days * DAY) // SECOND) * SECOND
        self._day0 = self.first // DAY
        ordinal = _EPOCH_ORDINAL + self._day0
        self._dates = [
            date.fromordinal(ordinal + day).isoformat()
            for day in range(self.last // DAY - self._day0 + 1)
        ]
        self._times = [
            f"{hour:02d}:{minute:02d}:{second:02d}"
            for hour in range(24)
            for minute in range(60)
            for second in range(60)
        ]

    def text(self, moment: int) -> str:
        """`2025-11-02 14:50:02`, with six more digits where the moment is no whole second."""
        seconds, micros = divmod(moment, SECOND)
        day, second = divmod(seconds, 86_400)
        if micros:
            return f"{self._dates[day - self._day0]} {self._times[second]}.{micros:06d}"
        return f"{self._dates[day - self._day0]} {self._times[second]}"

    def iso(self, moment: int) -> str:
        """`2025-09-28T09:55:38.612416`: a T, and always six digits."""
        seconds, micros = divmod(moment, SECOND)
        day, second = divmod(seconds, 86_400)
        return f"{self._dates[day - self._day0]}T{self._times[second]}.{micros:06d}"

    def stamp(self, moment: int, separator: str = "-") -> str:
        """`20251107-142530`, as it stands in identifiers."""
        day, second = divmod(moment // SECOND, 86_400)
        when = self._times[second].replace(":", "")
        return f"{self._dates[day - self._day0].replace('-', '')}{separator}{when}"

    def text_by_now(self, moment: int) -> str | None:
        """The moment as text, or None while it still lies ahead."""
        return self.text(moment) if moment <= self.last else None
