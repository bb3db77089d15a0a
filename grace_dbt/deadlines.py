"""Stop what takes too long: one thread looks after the deadlines of all queries.

A thread for each query has to be started and waited for each time, which takes milliseconds where the cores are busy.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass(eq=False)
class Deadline:
    """Until when something may take.

    Attributes:
        at: Seconds, as `time.monotonic` counts them.
        stop: What is called when they are over; it must not wait.
        has_passed: Whether it was called.
    """

    at: float
    stop: Callable[[], object]
    has_passed: bool = False


class _Watch:
    """The deadlines that are pending. Its thread is a daemon, and holds nothing of a query that has ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf

    def add(self, deadline: Deadline) -> None:
        with self._changed:
            self._pending.add(deadline)
            if self._thread is None or not self._thread.is_alive():  # in a forked process it isn't
                self._wakes_at = math.inf
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif deadline.at < self._wakes_at:
                self._changed.notify()

    def drop(self, deadline: Deadline) -> None:
        with self._changed:
            self._pending.discard(deadline)

    def _run(self) -> None:
        with self._changed:
            while True:
                self._wakes_at = self._stopped_those_over()
                seconds = self._wakes_at - time.monotonic()
                self._changed.wait(min(seconds, threading.TIMEOUT_MAX))

    def _stopped_those_over(self) -> float:
        """Stop what takes too long; when the next one will have."""
        now = time.monotonic()
        for deadline in [each for each in self._pending if each.at <= now]:
            self._pending.discard(deadline)
            deadline.has_passed = True
            with suppress(Exception):  # it ended by itself
                deadline.stop()
        return min((each.at for each in self._pending), default=math.inf)


_watch = _Watch()


@contextmanager
def stopped_after(seconds: float, stop: Callable[[], object]) -> Iterator[Deadline]:
    """Have something stopped from another thread if the block takes longer.

    Args:
        seconds: How long it may take.
        stop: What stops it.

    Yields:
        The deadline, which says whether it has passed. When the block has ended, nothing is stopped any more.
    """
    deadline = Deadline(time.monotonic() + seconds, stop)
    _watch.add(deadline)
    try:
        yield deadline
    finally:
        _watch.drop(deadline)
