"""Refresh again and again, for weeks, in one process.

A look that finds nothing new costs some file times or one short query; dbt and the parsed project stay in memory for
the others.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from grace_dbt.audit.records import last_full_look
from grace_dbt.build_state import BuildState
from grace_dbt.errors import GraceError, unforeseen
from grace_dbt.locking import BusyError
from grace_dbt.notices import Notifier
from grace_dbt.refresh import Scope, is_current, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.settings import Settings

# A fleet that was started at one time spreads out by so much of the interval.
JITTER_SHARE = 0.1
JITTER_SECONDS = 30.0
# A table over the row budget is compared as a whole at least so often.
RECONCILE_SECONDS = 86_400.0
# All entries of the audit chains are verified at least so often; each refresh verifies what is new.
VERIFY_SECONDS = 86_400.0
# A verification that failed is tried again after so long.
RETRY_SECONDS = 3600.0
# After failures the interval doubles up to this, or stays if it is longer.
LONGEST_BACK_OFF = 900.0


def _now(later: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=later)).isoformat(timespec="milliseconds")


@dataclass
class Vitals:
    """How the process is doing: written beside the data after each look, for `status` and for Prometheus.

    Attributes:
        pid: The process.
        every_seconds: Between the beginnings of two looks.
        started_at: ISO 8601 in UTC, as the other times.
        checked_at: When it was last known that nothing newer than the snapshot was there.
        next_at: When it looks again.
        looks: Since it started; each is one of the four below.
        published: Looks that ended in a new snapshot.
        unchanged: Looks that found nothing new.
        failed: Looks that failed.
        busy: Looks that found another process at work.
        failures_in_a_row: Since the last look that was none.
        last_error: One line.
        last_seconds: How long the last refresh took that published.
        resident_bytes: Memory of the process now.
        tampered: Audit chains that were tampered with, when all of them were verified last.
    """

    every_seconds: float
    pid: int = field(default_factory=os.getpid)
    started_at: str = field(default_factory=_now)
    checked_at: str | None = None
    next_at: str | None = None
    looks: int = 0
    published: int = 0
    unchanged: int = 0
    failed: int = 0
    busy: int = 0
    failures_in_a_row: int = 0
    last_error: str | None = None
    last_seconds: float | None = None
    resident_bytes: int = 0
    tampered: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, home: Path) -> Vitals | None:
        """What the process that refreshes this installation wrote last; None where there is none."""
        try:
            return cls(**json.loads((home / "schedule.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def is_alive(self) -> bool:
        """Whether the process is still there; a number may be another process's by now, so it has to look on time."""
        if self.next_at is None:
            return False
        late = (datetime.now(UTC) - datetime.fromisoformat(self.next_at)).total_seconds()
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return late < LONGEST_BACK_OFF

    def write(self, home: Path) -> None:
        """Write both files, each as a whole; a full disk stops no refresh."""
        for name, text in (
            ("schedule.json", json.dumps(asdict(self), indent=2)),
            ("schedule.prom", self.metrics()),
        ):
            draft = home / f"{name}.draft"
            try:
                draft.write_text(text)
                draft.replace(home / name)
            except OSError as error:
                print(f"{home / name} can't be written: {error.strerror}", file=sys.stderr)

    def metrics(self) -> str:
        """The same for the textfile collector of Prometheus' node_exporter."""
        checked = datetime.fromisoformat(self.checked_at).timestamp() if self.checked_at else 0
        lines = [
            "# TYPE grace_refresh_looks_total counter",
            *(
                f'grace_refresh_looks_total{{outcome="{outcome}"}} {getattr(self, outcome)}'
                for outcome in ("published", "unchanged", "failed", "busy")
            ),
        ]
        gauges = {
            "failures_in_a_row": self.failures_in_a_row,
            "checked_timestamp_seconds": checked,
            "duration_seconds": self.last_seconds or 0,
            "resident_memory_bytes": self.resident_bytes,
            "interval_seconds": self.every_seconds,
            "tampered_chains": len(self.tampered),
        }
        for name, value in gauges.items():
            lines += [f"# TYPE grace_refresh_{name} gauge", f"grace_refresh_{name} {value}"]
        return "\n".join(lines) + "\n"


class Scheduler:
    """Looks every so many seconds and refreshes where something changed."""

    def __init__(
        self,
        settings: Settings,
        every: float,
        notifier: Notifier,
        *,
        on_report: Callable[[RefreshReport], None],
        on_error: Callable[[GraceError], None],
        on_trouble: Callable[[str], None],
        progress: Callable[[str, int, int], None] | None = None,
        reconcile_every: float = RECONCILE_SECONDS,
        verify_every: float = VERIFY_SECONDS,
    ) -> None:
        """Keep what is needed; nothing runs yet.

        Args:
            settings: The installation.
            every: Seconds between the beginnings of two looks.
            notifier: Told of the first failure and of the recovery.
            on_report: Called after each refresh that published.
            on_error: Called after each that failed.
            on_trouble: Called with what went wrong beside a refresh.
            progress: As `refresh` takes it.
            reconcile_every: Seconds after which a table over the row budget is compared as a whole.
            verify_every: Seconds after which all entries of the audit chains are verified.
        """
        self.settings, self.notifier = settings, notifier
        self.on_report, self.on_error, self.on_trouble = on_report, on_error, on_trouble
        self.progress, self.reconcile_every = progress, reconcile_every
        self.verify_every, self._verified_at = verify_every, last_full_look(settings)
        self.vitals = Vitals(every)
        self._stop = threading.Event()

    def run(self) -> None:
        """Look until a signal says stop.

        SIGTERM or SIGINT ends the wait at once; a refresh that is under way is finished first, and a second signal
        abandons it: what it wrote is gone on from by the next one.

        Raises:
            KeyboardInterrupt: A refresh was abandoned.
        """
        with self._signals():
            while not self._stop.is_set():
                began = time.monotonic()
                self._look()
                if self._has_to_verify():
                    self._verify()
                wait = max(0.0, began + self._interval() - time.monotonic())
                self.vitals.next_at = _now(wait)
                self.vitals.write(self.settings.home)
                self._stop.wait(wait)

    def _look(self) -> None:
        vitals = self.vitals
        vitals.looks += 1
        now = _now()
        try:
            scope = Scope(reconcile=self._has_to_reconcile())
            if scope.is_plain and is_current(self.settings):
                vitals.unchanged += 1
            else:
                report = refresh(self.settings, scope, progress=self.progress)
                if report.mode == "probe":
                    vitals.unchanged += 1
                else:
                    vitals.published += 1
                    vitals.last_seconds = round(report.seconds, 3)
                    self.on_report(report)
            vitals.checked_at, vitals.failures_in_a_row, vitals.last_error = now, 0, None
            self._tell_of(self.notifier.succeeded())
        except BusyError as error:
            vitals.busy += 1
            vitals.last_error = error.message
        except Exception as error:  # whatever it is, the next look may go well
            known = error if isinstance(error, GraceError) else unforeseen(error)
            vitals.failed += 1
            vitals.failures_in_a_row += 1
            vitals.last_error = known.message
            self.on_error(known)
            self._tell_of(self.notifier.failed(known))
        vitals.resident_bytes = resident_bytes()

    def _has_to_reconcile(self) -> bool:
        """Whether a table over the row budget was compared as a whole too long ago."""
        state = BuildState.read(self.settings.home)
        if state is None:
            return False
        latest = datetime.now(UTC) - timedelta(seconds=self.reconcile_every)
        return any(datetime.fromisoformat(exact) < latest for exact in state.inexact.values())

    def _has_to_verify(self) -> bool:
        """Whether it is too long ago that all entries of the audit chains were verified."""
        if self._stop.is_set():
            return False
        latest = datetime.now(UTC) - timedelta(seconds=self.verify_every)
        return self._verified_at is None or self._verified_at < latest

    def _verify(self) -> None:
        """Verify the audit chains; the result is kept under GRACE_HOME: a refresh writes to no operational database."""
        from grace_dbt.audit.verify import verify_chains

        self._verified_at = datetime.now(UTC)  # one that fails is not tried at each look
        try:
            report = verify_chains(self.settings, in_database=False)
        except Exception as error:  # whatever it is, refreshing goes on
            known = error if isinstance(error, GraceError) else unforeseen(error)
            self.on_trouble(f"the audit chains could not be verified: {known.message}")
            sooner = timedelta(seconds=max(self.verify_every - RETRY_SECONDS, 0))
            self._verified_at -= sooner
            return
        self.vitals.tampered = [c.chain for c in report.chains if c.verdict == "tampered"]
        for chain in report.chains:
            if chain.trouble:
                self.on_trouble(f"{chain.chain} could not be verified: {chain.trouble}")
            elif chain.verdict == "tampered":
                self.on_trouble(
                    f"{chain.chain} was tampered with; see: grace-dbt audit verify --chain {chain.chain}"
                )
            elif {"rewritten", "tail cut"}.intersection(chain.counts):
                self.on_trouble(f"{chain.chain} is not the chain that was verified before")

    def _tell_of(self, troubles: list[str]) -> None:
        for trouble in troubles:
            self.on_trouble(trouble)

    def _interval(self) -> float:
        """Seconds from the beginning of one look to that of the next."""
        every = self.vitals.every_seconds
        longest = max(every, LONGEST_BACK_OFF)
        every = min(longest, every * 2.0 ** min(self.vitals.failures_in_a_row, 30))
        return every + random.uniform(0, min(JITTER_SECONDS, JITTER_SHARE * every))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            if self._stop.is_set():
                raise KeyboardInterrupt(signal.Signals(number).name)
            self._stop.set()

        before: dict[signal.Signals, Any] = {}
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                before[name] = signal.signal(name, stop)
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def resident_bytes() -> int:
    """Memory that the process holds now; where the system doesn't tell, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * resource.getpagesize()
