"""What all parts of a simulated Grace share: one clock, one rhythm, one book, two logs."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random

from grace_dbt.simulation.book import Book
from grace_dbt.simulation.chains import AuditLog, ImmutableLog
from grace_dbt.simulation.chance import Serial
from grace_dbt.simulation.clock import Clock
from grace_dbt.simulation.rhythm import Rhythm


class World:
    """The shared state of one simulation.

    Attributes:
        clock: The span, and its moments as text.
        rhythm: The load over the span, and the incidents.
        book: Where rows go.
        log: The immutable log.
        audit: The audit log.
        contracts: How many contracts the history has.
    """

    def __init__(self, clock: Clock, book: Book, *, contracts: int, rng_seed: int) -> None:
        """Lay out an empty history."""
        self.clock = clock
        self.book = book
        self.contracts = contracts
        self._seed = rng_seed
        self.rhythm = Rhythm(clock, self.stream("rhythm"))
        self.log = ImmutableLog(book, clock)
        self.audit = AuditLog(book, clock)

    def stream(self, subject: str) -> Random:
        """Random numbers of one subject: another subject that draws more does not disturb it."""
        return Random(f"{self._seed}:{subject}")

    def serial(self, rng: Random, prefix: str) -> Callable[[], str]:
        """Identifiers that begin with a prefix and never repeat."""
        return Serial(rng, prefix)

    def snapshot_id(self, moment: int, count: int) -> str:
        """The reference of the snapshot that is the `count`-th."""
        return f"snapshot-{self.clock.stamp(moment)}-{count:08d}"

    def mission_id(self, started: int) -> str:
        """The reference of a mission; no two begin in one second."""
        return f"mission-{self.clock.stamp(started)}"

    def some(self, base: float, factor: float) -> int:
        """A size that grows weakly: with the square root of the number of contracts."""
        return int(base + factor * sqrt(self.contracts))

    def moments(self, count: int, rng: Random) -> list[int]:
        """Moments of the span by its rhythm, in time order."""
        return self.rhythm.moments(count, rng)

    def within(self, moment: int) -> int:
        """The moment, moved into the span if it lies outside."""
        return min(max(moment, self.clock.first), self.clock.last)
