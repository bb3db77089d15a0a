"""What a live writer counts: rows by table, and how long its commits took. Its size does not grow with time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, floor, log

_STEP = log(1.02)  # a quantile is right within 2 %


class Latencies:
    """How long things took, as a histogram of buckets that are 2 % wide."""

    def __init__(self) -> None:
        """Start with none."""
        self._buckets: Counter[int] = Counter()
        self._longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._buckets[floor(log(max(seconds, 1e-9)) / _STEP)] += 1
        self._longest = max(self._longest, seconds)

    def milliseconds(self, quantile: float) -> float | None:
        """The value that this share of all is not above; None without any."""
        wanted = ceil(self._buckets.total() * quantile)
        for bucket, count in sorted(self._buckets.items()):
            wanted -= count
            if wanted <= 0:
                middle = 1_000 * 1.02 ** (bucket + 0.5)
                return float(f"{min(middle, self._longest * 1_000):.3g}")
        return None


@dataclass(frozen=True)
class LiveReport:
    """What a live writer wrote.

    Attributes:
        inserted: New rows, by table.
        updated: Changes of rows, by table.
        late: How many of the new rows say that they are minutes to hours old.
        seconds: How long it wrote.
        rate: Rows a second that were asked for.
        achieved_rate: Rows a second that were written.
        commit_p50_ms: Of a transaction, from its begin to the end of its commit.
        commit_p95_ms: The same.
        commit_max_ms: The same.
        retries: Transactions that another process made fail; each was begun again.
    """

    inserted: dict[str, int]
    updated: dict[str, int]
    late: int
    seconds: float
    rate: float
    achieved_rate: float
    commit_p50_ms: float | None
    commit_p95_ms: float | None
    commit_max_ms: float | None
    retries: int

    @property
    def rows(self) -> int:
        """All rows written."""
        return sum(self.inserted.values()) + sum(self.updated.values())


class Tally:
    """Counts while a live writer is at work."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.inserted: Counter[str] = Counter()
        self.updated: Counter[str] = Counter()
        self.late = 0
        self.retries = 0
        self.latencies = Latencies()

    @property
    def rows(self) -> int:
        """All rows written so far."""
        return self.inserted.total() + self.updated.total()

    def report(self, seconds: float, rate: float) -> LiveReport:
        """What was counted in some seconds."""
        quantiles = (self.latencies.milliseconds(quantile) for quantile in (0.5, 0.95, 1.0))
        p50, p95, longest = quantiles
        return LiveReport(
            inserted=dict(sorted(self.inserted.items())),
            updated=dict(sorted(self.updated.items())),
            late=self.late,
            seconds=round(seconds, 3),
            rate=rate,
            achieved_rate=round(self.rows / seconds, 2) if seconds else 0.0,
            commit_p50_ms=p50,
            commit_p95_ms=p95,
            commit_max_ms=longest,
            retries=self.retries,
        )
