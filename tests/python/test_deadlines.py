"""What takes too long is stopped when its time is over, and nothing else is."""

from __future__ import annotations

import threading
import time

from grace_dbt.deadlines import stopped_after

SOON, LATE = 0.05, 30.0


def test_a_short_deadline_is_kept_while_a_long_one_is_pending() -> None:
    long, short = threading.Event(), threading.Event()
    with stopped_after(LATE, long.set) as first:
        time.sleep(SOON)  # the watch sleeps until the long one by now
        with stopped_after(SOON, short.set) as second:
            assert short.wait(LATE)
        assert second.has_passed
    assert not first.has_passed
    assert not long.is_set()


def test_what_has_ended_is_not_stopped_any_more() -> None:
    stopped = threading.Event()
    with stopped_after(SOON, stopped.set) as deadline:
        pass
    assert not stopped.wait(SOON * 4)
    assert not deadline.has_passed


def test_a_stop_that_fails_takes_no_other_with_it() -> None:
    stopped = threading.Event()

    def fail() -> None:
        raise RuntimeError

    with stopped_after(SOON, fail), stopped_after(SOON * 2, stopped.set):
        assert stopped.wait(LATE)


def test_one_thread_serves_all() -> None:
    before = threading.active_count()
    stops = [threading.Event() for _ in range(20)]
    for stop in stops:
        with stopped_after(LATE, stop.set):
            assert threading.active_count() <= before + 1
    assert not any(stop.is_set() for stop in stops)
