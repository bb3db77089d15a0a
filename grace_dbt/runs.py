"""The log of runs: each one from its beginning, so that a killed one is told as well.

It stands in a SQLite file of its own under GRACE_HOME and is copied into each snapshot as `cube_etl_metadata`. To
record a run never fails it: what can't be written is a warning.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from grace_dbt.errors import GraceError
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from grace_dbt.publishing import Published

# Kept runs; a busy installation has some hundred a day.
KEPT_RUNS = 20_000
# How many of them a snapshot carries.
PUBLISHED_RUNS = 2_000
WAIT_SECONDS = 5.0

_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_RUN_ID = "%Y%m%dT%H%M%S.%fZ"
RUNNING, SUCCEEDED, UNCHANGED, FAILED, INTERRUPTED = (
    "running",
    "succeeded",
    "unchanged",
    "failed",
    "interrupted",
)


@dataclass
class Run:
    """One refresh.

    Attributes:
        run_id: The run's clock as text; later runs sort later.
        command: What was asked for, as one would type it.
        mode: `incremental`, `complete`, `full`; `probe` where nothing had changed.
        status: `running`, `succeeded`, `unchanged`, `failed`, `interrupted`.
        started_at: ISO 8601 in UTC.
        ended_at: The same; None while it runs, and for one that was killed.
        duration_seconds: Wall time.
        rows_inserted: Rows of operational tables that it saw for the first time.
        rows_updated: Rows whose content had changed.
        rows_deleted: Rows that were gone.
        rows_by_model: Rows of each published table.
        watermarks: Largest readable time of each operational table, ISO 8601 in UTC.
        error_message: What stopped it, one line.
        snapshot: File name of the snapshot that it published.
        pid: The process; None where the log of its time was lost.
        checks: How often in a row the process found nothing new, from the first look at `started_at` on.
    """

    run_id: str
    command: str
    mode: str
    status: str
    started_at: str
    ended_at: str | None = None
    duration_seconds: float | None = None
    rows_inserted: int | None = None
    rows_updated: int | None = None
    rows_deleted: int | None = None
    rows_by_model: dict[str, int] = field(default_factory=dict)
    watermarks: dict[str, str] = field(default_factory=dict)
    error_message: str | None = None
    snapshot: str | None = None
    pid: int | None = field(default_factory=os.getpid)
    checks: int = 1

    @classmethod
    def begin(cls, clock: datetime, command: str, mode: str) -> Self:
        """A run that begins now."""
        return cls(clock.strftime(_RUN_ID), command, mode, RUNNING, _now())

    @property
    def clock(self) -> str:
        """The clock (UTC) under which it ran, ISO 8601."""
        return clock_of(self.run_id)

    def published_as(self, column: str) -> object:
        """The value of a column of `cube_etl_metadata`."""
        value = getattr(self, column)
        if column in _JSON:
            return json.dumps(value)
        return value.removesuffix("+00:00") if column.endswith("_at") and value else value

    def end(self, status: str, error: str | None = None) -> None:
        """Say how it ended, and when."""
        self.status, self.error_message, self.ended_at = status, error, _now()
        lasted = datetime.fromisoformat(self.ended_at) - datetime.fromisoformat(self.started_at)
        self.duration_seconds = round(max(0.0, lasted.total_seconds()), 3)


COLUMNS = tuple(entry.name for entry in fields(Run))
_JSON = ("rows_by_model", "watermarks")
# A reader of the cube has no use for them.
_UNPUBLISHED = ("pid", "checks")


class RunLog:
    """The runs of one installation."""

    def __init__(self, settings: Settings) -> None:
        """Name the file; it is opened for each call, and made by the first one."""
        self.path = settings.home / "runs.sqlite"
        self.trouble: str | None = None

    def record(self, run: Run) -> None:
        """Write a run down, or how it stands now. What goes wrong is kept in `trouble`."""
        values = [json.dumps(v) if isinstance(v, dict) else v for v in vars(run).values()]
        self._write(
            (
                f"insert or replace into runs ({', '.join(COLUMNS)})"
                f" values ({', '.join('?' * len(COLUMNS))})",
                values,
            ),
            (
                "delete from runs where run_id <="
                " (select run_id from runs order by run_id desc limit 1 offset ?)",
                [KEPT_RUNS],
            ),
        )

    def record_unchanged(self, run: Run) -> None:
        """Write down a run that found nothing new; where the process has just written another one, that counts up."""
        try:
            former = next(iter(self.latest(2)), None)
            if former is not None and former.run_id == run.run_id:
                former = next(iter(self.latest(2)[1:]), None)
        except GraceError as error:
            self.trouble = error.message
            return
        if former is not None and (former.status, former.pid) == (UNCHANGED, run.pid):
            self._write(("delete from runs where run_id = ?", [run.run_id]))
            run.run_id, run.started_at = former.run_id, former.started_at
            run.checks = former.checks + 1
        self.record(run)

    def settle(self, published: Published | None) -> None:
        """Say of runs that never ended what became of them; the caller holds the lock, so none of them lives.

        What the log does not know of the run that published last the snapshot tells, and of the runs before as well
        where the log was lost.

        Args:
            published: The current snapshot: its run got that far.
        """
        got_through = published.run_id if published else None
        self._write(
            (
                "update runs set status = ?, error_message = ? where status = ? and run_id is not ?",
                [INTERRUPTED, "the process ended before the run did", RUNNING, got_through],
            )
        )
        try:
            if published and got_through and not self.latest(1, SUCCEEDED, got_through):
                self._take_over(published)
        except GraceError as error:
            self.trouble = error.message

    def _take_over(self, published: Published) -> None:
        """Write down what a snapshot tells of its run, and of those before that are missing here."""
        import duckdb

        names = [name for name in COLUMNS if name not in _UNPUBLISHED]
        selected = (
            f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%g+00:00')" if name.endswith("_at") else name
            for name in names
        )
        try:
            with duckdb.connect(published.snapshot_path, read_only=True) as connection:
                rows = connection.execute(
                    f"select {', '.join(selected)} from main.cube_etl_metadata"
                ).fetchall()
        except duckdb.Error as error:
            self.trouble = f"earlier runs can't be read from {published.snapshot_path}: {error}"
            return
        anew = ", ".join(f"{name} = excluded.{name}" for name in names)
        upsert = (
            f"insert into runs ({', '.join(names)}, checks) values ({', '.join('?' * len(names))}, 1)"
            f" on conflict (run_id) do update set {anew} where run_id = ?"
        )
        self._write(*((upsert, [*row, published.run_id]) for row in rows))

    def latest(self, limit: int, status: str | None = None, run_id: str | None = None) -> list[Run]:
        """Runs, the newest first.

        Raises:
            GraceError: The log can't be read.
        """
        if not self.path.exists():
            return []
        try:
            with closing(self._open()) as connection:
                rows = connection.execute(
                    f"select {', '.join(COLUMNS)} from runs"
                    " where (:status is null or status = :status) and (:run_id is null or run_id = :run_id)"
                    " order by run_id desc limit :limit",
                    {"status": status, "run_id": run_id, "limit": limit},
                ).fetchall()
            return [_run(dict(zip(COLUMNS, row, strict=True))) for row in rows]
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise GraceError(
                f"The log of runs {self.path} can't be read: {error}.",
                "Move it away; the newest snapshot has its rows in cube_etl_metadata.",
            ) from error

    def _write(self, *statements: tuple[str, Sequence[object]]) -> None:
        """Run statements in one transaction; a log that is damaged makes room for a new one."""
        try:
            with closing(self._open()) as connection, connection:
                for sql, values in statements:
                    connection.execute(sql, values)
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"the run could not be recorded in {self.path}: {error}"
            if getattr(error, "sqlite_errorcode", None) in _DAMAGE:
                aside = self.path.with_name("runs.damaged.sqlite")
                with suppress(OSError):
                    self.path.replace(aside)
                    self.trouble += f"; it is kept as {aside.name}"

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS)
        try:
            connection.execute(
                f"create table if not exists runs ({', '.join(COLUMNS)}, primary key (run_id))"
            )
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def clock_of(run_id: str) -> str:
    """The clock (UTC) of a run, ISO 8601."""
    return datetime.strptime(run_id, _RUN_ID).replace(tzinfo=UTC).isoformat()


def _run(values: Mapping[str, Any]) -> Run:
    """A row of the log; ValueError or TypeError where other hands wrote something else into it."""
    run = Run(**{k: json.loads(v) if k in _JSON else v for k, v in values.items()})
    for moment in (run.clock, run.started_at, run.ended_at):
        if moment is not None:
            datetime.fromisoformat(moment)
    return run


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
