"""A Grace at work: rows that come, change and arrive late while others read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from random import Random
from threading import Event

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.simulation.book import require_tables
from grace_dbt.simulation.live.stories import Report, Story, Update
from grace_dbt.simulation.live.tally import LiveReport, Tally
from grace_dbt.simulation.live.teller import Teller
from grace_dbt.simulation.live.writer import OnCommit, Writer

__all__ = ["LiveReport", "simulate_live"]

FEWEST_OPEN = 8  # something is always under way
MOST_OPEN = 2_000  # stories that wait for an update; beyond, updates come before all else
MOST_BEHIND = 2.0  # seconds of rows that are caught up with after a wait; the rest is left out
TURN = 100  # rows at most between two looks at the clock


def simulate_live(
    url: OperationalUrl,
    *,
    rate: float,
    seconds: float | None = None,
    rows: int | None = None,
    updates: float = 0.4,
    late: float = 0.05,
    rng_seed: int,
    stop: Event,
    progress: Callable[[int], None] | None = None,
    on_commit: OnCommit | None = None,
) -> LiveReport:
    """Write like a Grace at work, at a given rate, until the time is over, the rows are written or `stop` is set.

    Each row is one transaction. The order of what happens depends on the seed alone; times and identifiers depend on
    the clock as well. A second writer, and Grace itself, may write at the same time.

    Args:
        url: The database; its tables must exist, with or without rows.
        rate: Rows a second, new and changed ones together.
        seconds: For how long; None for as long as it takes.
        rows: How many rows; None for any number.
        updates: Which share of them changes a row, as far as there are rows whose story goes on.
        late: Which share of the stories reaches the database minutes to hours after it happened.
        rng_seed: Seed of all choices.
        stop: Ends it after the row that is being written.
        progress: Called now and then with the number of rows written.
        on_commit: Called with table, key and the seconds since 1970 right after each commit.

    Raises:
        GraceError: An argument is no good (exit code 2), a table is missing, or the database refuses a row or is held
            by others for too long (3). What was committed before stays.
    """
    if not 0 < rate <= 100_000 or not 0 <= updates <= 1 or not 0 <= late <= 1:
        raise GraceError(
            f"{rate:g} rows a second, {updates:g} of them updates and {late:g} late, cannot be simulated.",
            "Give --rate a number above 0 and up to 100000, and --updates and --late one from 0 to 1.",
            ExitCode.USAGE,
        )
    url.require_present()
    with open_database(url, write=False) as database:
        require_tables(url, database)
    tally = Tally()
    # DuckDB deletes and inserts a row anew when an indexed column changes, which a reference to it forbids.
    teller = Teller(late=late, rng_seed=rng_seed, fixes_parents=url.dialect == "duckdb")
    stage = _Stage(teller, updates, Random(f"{rng_seed}:order"))
    writer = Writer(url, tally, on_commit)
    started = time.monotonic()
    pace = _Pace(rate, started)
    try:
        with writer.connected():
            while not stop.is_set() and (rows is None or tally.rows < rows):
                now = time.monotonic()
                if seconds is not None and now - started >= seconds:
                    break
                due = min(pace.due(now, tally.rows), TURN)
                if rows is not None:
                    due = min(due, rows - tally.rows)
                if due < 1:
                    stop.wait(pace.until_next(now, tally.rows))
                    continue
                with writer.turn():
                    for _ in range(due):
                        stage.write_next(writer)
                        if stop.is_set():
                            break
                if progress:
                    progress(tally.rows)
    except GraceError as error:
        raise GraceError(
            error.message,
            f"{error.hint} Committed before: {tally.rows} rows; {tally.retries} transactions were begun again.",
            error.exit_code,
        ) from error
    return tally.report(time.monotonic() - started, rate)


class _Pace:
    """When the next row is due."""

    def __init__(self, rate: float, started: float) -> None:
        self._rate = rate
        self._started = started

    def due(self, now: float, written: int) -> int:
        """How many rows should have been written by now and are not; what lies far behind is forgiven."""
        behind = (now - self._started) * self._rate - written
        most = max(MOST_BEHIND * self._rate, 1)
        if behind > most:
            self._started += (behind - most) / self._rate
            behind = most
        return int(behind)

    def until_next(self, now: float, written: int) -> float:
        """Seconds until the next row is due."""
        return max(self._started + (written + 1) / self._rate - now, 0)


class _Stage:
    """The stories that are under way, and which of them goes on next."""

    def __init__(self, teller: Teller, updates: float, rng: Random) -> None:
        self._teller = teller
        self._updates = updates
        self._rng = rng
        self._changing: list[Story] = []  # go on with an update
        self._growing: deque[Story] = deque()  # go on with a new row
        self._put(teller.first())

    def write_next(self, writer: Writer) -> None:
        """Write one row."""
        story = self._chosen()
        step = story.steps.popleft()
        assert not isinstance(step, Report)
        writer.write(story, step)
        self._put(story)

    def _chosen(self) -> Story:
        changing = self._changing
        wanted = self._rng.random() < self._updates or len(changing) > MOST_OPEN
        if len(changing) > FEWEST_OPEN and wanted:
            place = int(self._rng.random() * len(changing))
            changing[place], changing[-1] = changing[-1], changing[place]
            return changing.pop()
        while not self._growing:
            self._put(self._teller.next())
        return self._growing.popleft()

    def _put(self, story: Story) -> None:
        """Have a story wait for its turn; one without further steps is over."""
        while story.steps and isinstance(report := story.steps[0], Report):
            story.steps.popleft()
            story.steps.extendleft(reversed(self._teller.report(report)))
        if not story.steps:
            return
        if isinstance(story.steps[0], Update):
            self._changing.append(story)
        else:
            self._growing.append(story)
