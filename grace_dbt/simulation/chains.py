"""The two hash chains of a history: events enter in any order, and are sealed in the order of their time."""

from __future__ import annotations

import json
from heapq import heappop, heappush

from grace_dbt.audit.formats import GENESIS, ZEROS, chain_hash, content_hash, entry_hash
from grace_dbt.simulation.book import Book
from grace_dbt.simulation.clock import DAY, SECOND, Clock


class ImmutableLog:
    """Events enter in any order and leave in time order, each with the hash of its predecessor."""

    def __init__(self, book: Book, clock: Clock) -> None:
        """Begin an empty chain."""
        self._rows = book.page(
            "immutable_log",
            "id sequence actor action resource subsystem payload result"
            " entry_hash previous_hash timestamp",
        )
        self._clock = clock
        self._waiting: list[tuple[int, int, str, str, str | None, str, str, str]] = []
        self._count = 0
        self._sequence = 0
        self._previous = ZEROS

    def record(
        self,
        moment: int,
        actor: str,
        action: str,
        resource: str,
        *,
        subsystem: str,
        payload: str,
        result: str,
    ) -> None:
        """Take an event; one that lies after the end has not happened yet."""
        if moment <= self._clock.last:
            self._count += 1
            heappush(
                self._waiting,
                (moment, self._count, actor, action, resource, subsystem, payload, result),
            )

    def write_until(self, moment: int) -> None:
        """Seal every waiting event up to a moment."""
        waiting, text, rows = self._waiting, self._clock.text, self._rows
        while waiting and waiting[0][0] <= moment:
            at, _, actor, action, resource, subsystem, payload, result = heappop(waiting)
            self._sequence = sequence = self._sequence + 1
            previous = self._previous
            self._previous = entry = entry_hash(
                sequence,
                actor=actor,
                action=action,
                resource=resource,
                payload=payload,
                result=result,
                previous=previous,
            )
            rows.append((
                sequence, sequence, actor, action, resource, subsystem, payload, result,
                entry, previous, text(at),
            ))  # fmt: skip


class AuditLog:
    """The governance engine's chain, one segment, checked once a day."""

    def __init__(self, book: Book, clock: Clock) -> None:
        """Begin an empty chain."""
        self._book = book
        self._rows = book.page(
            "audit_logs",
            "entry_id category data_json transparency_level timestamp hash previous_hash"
            " chain_hash chain_position verified",
        )
        self._clock = clock
        self._waiting: list[tuple[int, int, str, dict[str, object], str]] = []
        self._count = 0
        self._position = 0
        self._unchecked = 0
        self._previous = GENESIS
        self._categories: dict[str, tuple[int, str, str]] = {}
        self._next_check = (clock.first // DAY + 1) * DAY

    def record(self, moment: int, category: str, data: dict[str, object], level: str) -> None:
        """Take an event; one that lies after the end has not happened yet."""
        if moment <= self._clock.last:
            self._count += 1
            heappush(self._waiting, (moment, self._count, category, data, level))

    def write_until(self, moment: int) -> None:
        """Seal every waiting event up to a moment."""
        while self._waiting and self._waiting[0][0] <= moment:
            at, _, category, data, level = heappop(self._waiting)
            while at >= self._next_check:
                self._check()
            self._seal(at, category, data, level)

    def finish(self) -> None:
        """Seal what waits, and count the categories."""
        self.write_until(self._clock.last)
        while self._next_check + SECOND <= self._clock.last:
            self._check()
        for category, (count, last, level) in self._categories.items():
            self._book.add(
                "log_categories",
                {
                    "category": category,
                    "entry_count": count,
                    "last_entry_timestamp": last,
                    "transparency_level": level,
                },
            )

    def _seal(self, at: int, category: str, data: dict[str, object], level: str) -> None:
        timestamp = self._clock.iso(at)
        entry_id = f"{category}_{self._clock.stamp(at, '_')}_{self._position:06d}"
        entry = content_hash(
            entry_id, category=category, data=data, level=level, timestamp=timestamp
        )
        seal = chain_hash(entry, previous=self._previous, position=self._position)
        self._rows.append((
            entry_id, category, json.dumps(data), level, timestamp, entry, self._previous,
            seal, self._position, 1,
        ))  # fmt: skip
        self._previous = seal
        self._position += 1
        self._categories[category] = (self._categories.get(category, (0,))[0] + 1, timestamp, level)

    def _check(self) -> None:
        """The nightly verification of what came since the last one."""
        at = self._next_check + SECOND
        self._next_check += DAY
        if self._position == self._unchecked:
            return
        self._book.add(
            "chain_verification",
            {
                "id": self._book.next_id("chain_verification"),
                "start_position": self._unchecked,
                "end_position": self._position - 1,
                "chain_hash": self._previous,
                "verified_at": self._clock.iso(at),
                "verification_result": "intact",
            },
        )
        self._unchecked = self._position
