"""When things happen: working hours, weekends, noise and incidents."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from grace_dbt.simulation.clock import DAY, HOUR, MINUTE, Clock

SLOT = 15 * MINUTE

# Relative load by hour of the day (UTC): nightly batches, a morning peak, lunch, an afternoon.
HOURS = (
    0.30, 0.26, 0.38, 0.24, 0.22, 0.26, 0.42, 0.75, 1.25, 1.70, 1.85, 1.75,
    1.35, 1.60, 1.80, 1.70, 1.50, 1.10, 0.75, 0.60, 0.52, 0.46, 0.40, 0.34,
)  # fmt: skip
WEEKEND = 0.38
OFFICE = (8, 18)


@dataclass(frozen=True, slots=True)
class Incident:
    """A few hours in which a part of Grace is unwell."""

    number: int
    start: int
    end: int
    component: str
    cause: str
    severity: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A quarter of an hour, or the part of one that lies in the span.

    Attributes:
        start: First moment of the slot.
        length: In microseconds.
        weight: Its load, relative to the other slots.
        office: Whether people are at work.
        incident: The incident in force, if any.
    """

    start: int
    length: int
    weight: float
    office: bool
    incident: Incident | None


TROUBLES = (
    ("database", "replication lag after a failed vacuum", "critical"),
    ("api", "connection pool exhausted by a retry storm", "high"),
    ("cache", "cache cluster lost its quorum", "high"),
    ("message_bus", "broker disk full", "critical"),
)


class Rhythm:
    """The load over a span, from which moments are drawn."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        """Lay out slots and incidents."""
        self.incidents = _incidents(clock, rng)
        self.slots: list[Slot] = []
        day_noise: dict[int, float] = {}
        start = clock.first
        while start < clock.last:
            end = min((start // SLOT + 1) * SLOT, clock.last)
            day = start // DAY
            hour = start % DAY // HOUR
            weekend = (day + 3) % 7 >= 5  # day 0, 1 January 1970, was a Thursday
            noise = day_noise.setdefault(day, 0.9 + 0.2 * rng.random()) * (0.8 + 0.4 * rng.random())
            incident = next((i for i in self.incidents if i.start <= start < i.end), None)
            weight = (
                HOURS[hour] * (WEEKEND if weekend else 1.0) * noise * (1.3 if incident else 1.0)
            )
            office = not weekend and OFFICE[0] <= hour < OFFICE[1]
            self.slots.append(
                Slot(start, end - start, weight * (end - start) / SLOT, office, incident)
            )
            start = end
        self._starts = [slot.start for slot in self.slots]
        total = sum(slot.weight for slot in self.slots)
        self.incident_share = sum(s.weight for s in self.slots if s.incident) / total

    def slot_at(self, moment: int) -> Slot:
        """The slot that a moment lies in."""
        return self.slots[max(0, bisect_right(self._starts, moment) - 1)]

    def arrivals(self, count: int, rng: Random) -> Iterator[tuple[int, Slot]]:
        """Exactly `count` moments in time order, each with its slot."""
        total = sum(slot.weight for slot in self.slots)
        reached, cumulated, offset = 0, 0.0, rng.random()
        random = rng.random
        for slot in self.slots:
            cumulated += slot.weight
            target = count if slot is self.slots[-1] else int(cumulated / total * count + offset)
            here = min(target, count) - reached
            reached += here
            for share in sorted([random() for _ in range(here)]):
                yield slot.start + int(share * slot.length), slot

    def moments(self, count: int, rng: Random) -> list[int]:
        """Exactly `count` moments in time order."""
        return [moment for moment, _ in self.arrivals(count, rng)]


def _incidents(clock: Clock, rng: Random) -> list[Incident]:
    """Two to four incidents of two to six hours, shorter in a short span, well apart."""
    span = clock.last - clock.first
    count = rng.choice((2, 3, 4)) if span > 7 * DAY else 2
    troubles = rng.sample(TROUBLES, count)
    part = int(span * 0.94) // count
    found = []
    for number, (component, cause, severity) in enumerate(troubles, 1):
        length = int(min((2 + 4 * rng.random()) * HOUR, max(span * 0.03, 2 * SLOT)))
        earliest = clock.first + int(span * 0.03) + (number - 1) * part
        tries = [earliest + int(rng.random() * (part - length)) for _ in range(12)]
        # Trouble shows under load: of a dozen moments, take the busiest hour of the day.
        start = max(tries, key=lambda moment: HOURS[moment % DAY // HOUR]) // SLOT * SLOT
        end = start + max(length // SLOT, 1) * SLOT
        found.append(Incident(number, max(start, clock.first), end, component, cause, severity))
    return found
