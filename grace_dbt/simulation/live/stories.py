"""A story: what happens around one contract, task or alert, row by row and in order of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from grace_dbt.operational.backend import Row
from grace_dbt.simulation.book import TABLES, Book
from grace_dbt.simulation.live.stand_ins import Calendar, Number, moment_of, numbers_in

# By table, in the order of a row's life: the column that tells when a stage was reached, and what the row said before.
LIVES: dict[str, tuple[tuple[str, dict[str, object]], ...]] = {
    "approval_requests": (
        ("decided_at", {"status": "pending", "decision_by": None, "decision_reason": None}),
    ),
    "playbook_runs": (("started_at", {"status": "pending"}), ("ended_at", {"status": "running"})),
    "playbook_step_runs": (("ended_at", {"status": "running", "log": None}),),
    "safe_hold_snapshots": (
        ("validated_at", {"is_validated": 0}),
        ("restored_at", {"status": "active"}),
    ),
    "execution_tasks": (
        ("started_at", {"status": "queued", "progress": 0.0}),
        ("completed_at", {"status": "running", "result": None, "error": None}),
    ),
    "security_events": (("resolved_at", {"status": "open", "resolution_note": None}),),
}
BORN = {
    "mission_timelines": "started_at",
    "agentic_insights": "timestamp",
    "shard_heartbeats": "recorded_at",
}
KEYS = {"execution_tasks": "task_id", "mission_timelines": "mission_id"}
# Drawn anew for each version of a row, and settled by the first.
SETTLED = {"baseline_state"}

Values = dict[str, object]


@dataclass(slots=True)
class Insert:
    """A new row."""

    table: str
    row: Values


@dataclass(slots=True)
class Update:
    """What changes in a row."""

    table: str
    key: object
    changes: Values


@dataclass(slots=True)
class LogEntry:
    """An entry for the immutable log, in the order of its columns."""

    actor: str
    action: str
    resource: str
    subsystem: str
    payload: str
    result: str


@dataclass(slots=True)
class AuditEntry:
    """An entry for the audit log."""

    category: str
    data: Values
    level: str


@dataclass(slots=True)
class Report:
    """What has to be counted once all before it is written."""

    tell: Callable[[], None]


RowStep = Insert | Update | LogEntry | AuditEntry
Step = RowStep | Report


@dataclass(slots=True)
class Story:
    """Steps still to come, and what those before them were given.

    Attributes:
        calendar: When its moments came to be.
        is_late: Whether it reaches the database long after it happened.
        numbers: Numbers that the database gave to its rows.
    """

    calendar: Calendar
    is_late: bool
    steps: deque[Step] = field(default_factory=deque)
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def resolved(self, value: object, now: int) -> object:
        """A value with every stand-in replaced, as it is written at a moment."""
        return self.calendar.resolved(value, now, self.numbers)


class Page(list[Row]):
    """Takes tuples for a table, and hands each on at once."""

    def __init__(self, book: StoryBook, table: str, columns: tuple[str, ...]) -> None:
        """Remember whose page it is."""
        super().__init__()
        self._book, self._table, self._columns = book, table, columns

    def append(self, row: Row) -> None:
        """Hand a row on."""
        self._book.add(self._table, dict(zip(self._columns, row, strict=True)))


class StoryBook(Book):
    """Takes the rows of one story after the other, and puts each story in order.

    Attributes:
        moment: When the next rows are written, where their own columns don't tell all; else None.
    """

    def __init__(self, *, fixes_parents: bool) -> None:
        """Start with nothing told; `fixes_parents` says that a row can't change once another refers to it."""
        self.moment: int | None = None
        self._fixes_parents = fixes_parents
        self._ids = dict.fromkeys(TABLES, 0)
        self._told: list[tuple[int, Step]] = []
        self._versions: dict[tuple[str, object], Values] = {}

    def page(self, table: str, columns: str) -> list[Row]:
        """See `Book.page`."""
        return Page(self, table, tuple(columns.split()))

    def next_id(self, table: str) -> int:
        """A stand-in for the number that the database will give."""
        return Number(table, super().next_id(table))

    def add(self, table: str, row: Values) -> None:
        """Take a row as it is at the end of its life, or as it is at `moment`."""
        if self.moment is not None:
            self._add_version(self.moment, table, row)
            return
        stages = [stage for stage in LIVES.get(table, ()) if row[stage[0]] is not None]
        moments = [moment_of(row[BORN.get(table, "created_at")])]
        moments += [moment_of(row[column]) for column, _ in stages]
        for reached, moment in enumerate(moments):
            version = dict(row)
            for column, before in reversed(stages[reached:]):
                version |= {**before, column: None}
            self._add_version(moment, table, version)
        self.forget(table, row[KEYS.get(table, "id")])

    def schedule(self, moment: int, step: Step) -> None:
        """Take something else that happens."""
        self._told.append((moment, step))

    def forget(self, table: str, key: object) -> None:
        """Say that no further version of a row will come."""
        del self._versions[table, key]

    def take(self) -> list[Step]:
        """All that was told since the last call, parents before what refers to them."""
        told, self._told = self._told, []
        ready: dict[tuple[str, int], int] = {}  # from when on others may refer to a row
        ordered = []
        for place, (told_at, step) in enumerate(told):
            moment = told_at
            if isinstance(step, Insert):
                named = [number for value in step.row.values() for number in numbers_in(value)]
                moment = max([told_at, *(ready[number] for number in named if number in ready)])
                for number in numbers_in(step.row.get("id")):
                    ready[number] = moment
            elif isinstance(step, Update):
                for number in numbers_in(step.key):
                    moment = max(moment, ready[number])
                    if self._fixes_parents:
                        ready[number] = moment
            ordered.append((moment, place, step))
        return [step for _, _, step in sorted(ordered, key=lambda told: told[:2])]

    def _add_version(self, moment: int, table: str, row: Values) -> None:
        key = row[KEYS.get(table, "id")]
        former = self._versions.get((table, key))
        self._versions[table, key] = row
        if former is None:
            self.schedule(moment, Insert(table, row))
            return
        row |= {name: former[name] for name in SETTLED & row.keys()}
        changes = {name: value for name, value in row.items() if former[name] != value}
        if changes:
            self.schedule(moment, Update(table, key, changes))
