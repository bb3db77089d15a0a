"""Writes the steps of stories, each in a short transaction of its own, through the database's own driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from grace_dbt.audit.append import chain_audit_log, chain_immutable_log
from grace_dbt.errors import GraceError
from grace_dbt.operational.backend import Backend, open_database
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.simulation.live.stand_ins import Number
from grace_dbt.simulation.live.stories import (
    KEYS,
    AuditEntry,
    LogEntry,
    RowStep,
    Story,
    Update,
    Values,
)
from grace_dbt.simulation.live.tally import Tally

# After a second without a lock a transaction is begun again, so that waiting shows in the figures.
IMPATIENCE = {
    "sqlite": ("pragma busy_timeout = 1000",),
    "postgres": ("set lock_timeout = 1000",),
    "mysql": ("set session innodb_lock_wait_timeout = 1",),
    "mariadb": ("set session innodb_lock_wait_timeout = 1",),
}
MOST_TRIES = 30
PAUSE = 0.02  # seconds between two times that a DuckDB file is held, for whoever waits to read it

# Called with table, key and the seconds since 1970 right after each commit.
OnCommit = Callable[[str, object, float], None]


class Writer:
    """Writes to one operational database, and counts what it wrote."""

    def __init__(self, url: OperationalUrl, tally: Tally, on_commit: OnCommit | None) -> None:
        """Write nothing yet."""
        self._url = url
        self._tally = tally
        self._on_commit = on_commit
        self._open: Backend | None = None

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Hold a connection, but of DuckDB, where nobody could read while the file is open."""
        if self._url.dialect == "duckdb":
            yield
            return
        with self._opened():
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A time to write some rows in."""
        if self._open is not None:
            yield
            return
        with self._opened():
            yield
        time.sleep(PAUSE)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with open_database(self._url, write=True) as backend:
            for statement in IMPATIENCE.get(backend.dialect, ()):
                backend.execute(statement)
            self._open = backend
            try:
                yield
            finally:
                self._open = None

    def write(self, story: Story, step: RowStep) -> None:
        """Write one step of a story, and count it; one that others are in the way of is begun again.

        Raises:
            GraceError: The database refuses it, or others were in the way too often: it is not written then.
        """
        assert self._open is not None
        backend = self._open
        started = time.perf_counter()
        for tries in range(1, MOST_TRIES + 1):
            try:
                with backend.transaction():
                    table, key = self._run(backend, story, step)
                break
            except GraceError as error:
                if tries == MOST_TRIES or not backend.was_in_the_way(error):
                    raise
                self._tally.retries += 1
        committed = time.time()
        self._tally.latencies.add(time.perf_counter() - started)
        counts = self._tally.updated if isinstance(step, Update) else self._tally.inserted
        counts[table] += 1
        self._tally.late += story.is_late and not isinstance(step, Update)
        if self._on_commit:
            self._on_commit(table, key, committed)

    def _run(self, backend: Backend, story: Story, step: RowStep) -> tuple[str, object]:
        """Run the statements of a step; its table, and the key of the row."""
        now = time.time_ns() // 1_000
        if isinstance(step, LogEntry):
            return "immutable_log", _log(backend, story, step, now)
        if isinstance(step, AuditEntry):
            return "audit_logs", _audit(backend, story, step, now)
        if isinstance(step, Update):
            key = story.resolved(step.key, now)
            changes = {name: story.resolved(value, now) for name, value in step.changes.items()}
            _update(backend, step.table, changes, KEYS.get(step.table, "id"), key)
            return step.table, key
        row = {name: story.resolved(value, now) for name, value in step.row.items() if name != "id"}
        own = step.row.get("id")
        if isinstance(own, Number):
            story.numbers[own.table, int(own)] = number = backend.add_counted(step.table, row)
            key_column = KEYS.get(step.table)
            return step.table, number if key_column is None else row[key_column]
        row["id"] = story.resolved(own, now)
        backend.add(step.table, row)
        return step.table, row["id"]


def _update(backend: Backend, table: str, changes: Values, key_column: str, key: object) -> None:
    mark = backend.value_mark
    pairs = ", ".join(f"{backend.quoted(name)} = {mark}" for name in changes)
    backend.run(
        f"update {backend.quoted(table)} set {pairs} where {backend.quoted(key_column)} = {mark}",
        [*changes.values(), key],
    )


def _log(backend: Backend, story: Story, entry: LogEntry, now: int) -> int:
    """Seal an entry of the immutable log; its sequence."""
    actor, action, resource, payload, result = (
        str(story.resolved(value, now))
        for value in (entry.actor, entry.action, entry.resource, entry.payload, entry.result)
    )
    return chain_immutable_log(
        backend,
        actor=actor,
        action=action,
        resource=resource,
        payload=payload,
        result=result,
        subsystem=entry.subsystem,
    ).position


def _audit(backend: Backend, story: Story, entry: AuditEntry, now: int) -> str:
    """Seal an entry of the audit log, and count it for its category; its id."""
    data = {name: story.resolved(value, now) for name, value in entry.data.items()}
    return chain_audit_log(backend, category=entry.category, data=data, level=entry.level).entry_id
