"""What a story says before it happens: moments and numbers that get their value when a row is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from grace_dbt.simulation.clock import DAY, SECOND, Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"<<at:(\d+)>>")
# In JSON a number stands without the quotes that its stand-in has there.
_NUMBER = re.compile(r'"<<no:(\w+):(\d+)>>"|<<no:(\w+):(\d+)>>')

Numbers = Mapping[tuple[str, int], int]


class Number(int):
    """A number that the database has not given yet; a text that quotes it gets a stand-in."""

    table: str

    def __new__(cls, table: str, place: int) -> Number:
        """The `place`-th row of a table in this process."""
        made = super().__new__(cls, place)
        made.table = table
        return made

    def __str__(self) -> str:
        """The stand-in."""
        return f"<<no:{self.table}:{int(self)}>>"

    def __format__(self, spec: str) -> str:
        """The stand-in, whatever the format."""
        return str(self)


class StoryClock(Clock):
    """The clock of stories: a story may last for years, and is dated when it is written."""

    def __init__(self) -> None:
        """Begin long after 1970, with an hour for what lies before all stories."""
        self.first = 1_000 * DAY
        self.last = self.first + 3_600 * SECOND

    def text(self, moment: int) -> str:
        """A stand-in for a moment."""
        return f"<<at:{moment}>>"

    def stamp(self, moment: int, separator: str = "-") -> str:
        """The present time, as it stands in identifiers."""
        return datetime.now(UTC).strftime(f"%Y%m%d{separator}%H%M%S")

    def text_by_now(self, moment: int) -> str | None:
        """A stand-in: a story is told to its end."""
        return self.text(moment)


class Calendar:
    """When the moments of one story came to be, in microseconds since 1970."""

    def __init__(self, delay: int) -> None:
        """Start empty; what is written says that it was `delay` microseconds ago."""
        self._delay = delay
        self._dated: dict[int, int] = {}
        self._latest = 0

    def resolved(self, value: object, now: int, numbers: Numbers) -> object:
        """A value with every stand-in replaced; a moment is dated when it first occurs."""
        if isinstance(value, Number):
            return numbers[value.table, int(value)]
        if not isinstance(value, str) or "<<" not in value:
            return value
        value = _MOMENT.sub(lambda found: self._text(int(found[1]), now), value)
        return _NUMBER.sub(
            lambda found: str(numbers[found[1] or found[3], int(found[2] or found[4])]), value
        )

    def _text(self, moment: int, now: int) -> str:
        dated = self._dated.get(moment)
        if dated is None:
            # No moment is dated before one that was written earlier, even when the clock is set back.
            dated = self._latest = max(now - self._delay, self._latest + 1)
            if moment % SECOND == 0:  # its writer keeps no fractions of a second
                dated -= dated % SECOND
            self._dated[moment] = dated
        return spelled(dated)


def moment_of(value: object) -> int:
    """The moment that a stand-in stands for.

    Raises:
        ValueError: It is none.
    """
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} stands for no moment.")
    return int(found[1])


def numbers_in(value: object) -> list[tuple[str, int]]:
    """The numbers that a value waits for."""
    if isinstance(value, Number):
        return [(value.table, int(value))]
    if not isinstance(value, str) or "<<no:" not in value:
        return []
    return [(a or c, int(b or d)) for a, b, c, d in _NUMBER.findall(value)]


def spelled(moment: int) -> str:
    """`2025-11-02 14:50:02`, with six more digits where the moment is no whole second."""
    return (_EPOCH + timedelta(microseconds=moment)).replace(tzinfo=None).isoformat(" ")
