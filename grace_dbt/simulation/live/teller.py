"""Tells one story after the other with the row makers of a whole history, for a Grace that is at work now."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from random import Random

from grace_dbt.simulation.case import Case
from grace_dbt.simulation.chains import AuditLog, ImmutableLog
from grace_dbt.simulation.chance import Deck, spread
from grace_dbt.simulation.clock import DAY, HOUR, MINUTE, SECOND
from grace_dbt.simulation.contracts import TIERS, Contracts
from grace_dbt.simulation.evidence import Evidence
from grace_dbt.simulation.filing import Filing
from grace_dbt.simulation.live.stand_ins import Calendar, Number, StoryClock
from grace_dbt.simulation.live.stories import (
    AuditEntry,
    LogEntry,
    Report,
    Step,
    Story,
    StoryBook,
)
from grace_dbt.simulation.missions import Mission, Missions
from grace_dbt.simulation.oversight import Oversight
from grace_dbt.simulation.remedies import HEALED, Remedies
from grace_dbt.simulation.rhythm import OFFICE, Rhythm, Slot
from grace_dbt.simulation.shards import ENDINGS, TASKS, VERSIONS, write_task
from grace_dbt.simulation.vocabulary import SEVERITIES, SHARDS
from grace_dbt.simulation.world import World

SUBJECTS = {
    "contract": 0.55,
    "heartbeat": 0.2,
    "task": 0.07,
    "alert": 0.07,
    "heal": 0.06,
    "abort": 0.05,
}
LATE = (MINUTE, 8 * HOUR)
SPAN = 3_650 * DAY  # enough for every story to come to its end
USUAL_SIZE = 10_000  # contracts of the history whose shares of side events are taken


class _Log(ImmutableLog):
    """Takes events for the story that is being told."""

    def __init__(self, book: StoryBook) -> None:
        self._book = book

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
        self._book.schedule(moment, LogEntry(actor, action, resource, subsystem, payload, result))


class _Audit(AuditLog):
    """Takes entries for the story that is being told."""

    def __init__(self, book: StoryBook) -> None:
        self._story = book

    def record(self, moment: int, category: str, data: dict[str, object], level: str) -> None:
        self._story.schedule(moment, AuditEntry(category, data, level))


class _Rhythm(Rhythm):
    """The present quarter of an hour, without incident."""

    def __init__(self) -> None:
        self.incident_share = 0.0
        self.incidents = []

    def slot_at(self, moment: int) -> Slot:
        now = datetime.now(UTC)
        return Slot(
            moment, SECOND, 1.0, now.weekday() < 5 and OFFICE[0] <= now.hour < OFFICE[1], None
        )


class _World(World):
    """A Grace at work: identifiers hold the beginning and the process, so that no other one makes them."""

    clock: StoryClock
    book: StoryBook

    def __init__(self, rng_seed: int, *, fixes_parents: bool) -> None:
        self.clock = StoryClock()
        self.book = StoryBook(fixes_parents=fixes_parents)
        self.contracts = USUAL_SIZE
        self._seed = rng_seed
        self.rhythm = _Rhythm()
        self.log = _Log(self.book)
        self.audit = _Audit(self.book)
        # A process ends long before another one gets its number in the same microsecond.
        self._origin = f"{time.time_ns() // 1000:x}{os.getpid():06x}"
        self._missions = count(1)

    def serial(self, rng: Random, prefix: str) -> Callable[[], str]:
        numbers = count(1)
        return lambda: f"{prefix}{self._origin}_{next(numbers):06d}"

    def snapshot_id(self, moment: int, count: int) -> str:
        return f"snapshot-{self.clock.stamp(moment)}-{self._origin}-{count:06d}"

    def mission_id(self, started: int) -> str:
        return f"mission-{self.clock.stamp(started)}-{self._origin}-{next(self._missions):06d}"


class _Oversight(Oversight):
    """Numbers sessions by the request that they are about, since no table counts them."""

    def _open_session(self, number: int) -> int:
        return number

    def decide(self, moment: int, context: dict[str, object], risk: str, *, approved: bool) -> str:
        waiting = {k: str(v) if isinstance(v, Number) else v for k, v in context.items()}
        return super().decide(moment, waiting, risk, approved=approved)


class _Filing(Filing):
    """Files a contract again at each turn that it takes."""

    _world: _World

    def write_row(self, case: Case) -> None:
        book = self._world.book
        for moment, version in _versions(case):
            book.moment = moment
            super().write_row(version)
        book.moment = None
        book.forget("action_contracts", case.id)


def _versions(case: Case) -> list[tuple[int, Case]]:
    """What a contract was, from when on."""
    pending = replace(
        case, status="pending", started=None, executed=None, verified=None, undone=None,
        late_rollback=False, confidence=None, fault=None, snapshot=None,
    )  # fmt: skip
    found = [(case.created, pending)]
    latest = pending
    if case.started is not None:
        latest = replace(latest, status="executing", started=case.started, snapshot=case.snapshot)
        found.append((case.started, latest))
    if case.executed is not None:
        latest = replace(latest, executed=case.executed)
        found.append((case.executed, latest))
    if case.verified is not None and case.late_rollback:
        latest = replace(
            latest, status="verified", verified=case.verified, confidence=case.confidence
        )
        found.append((case.verified, latest))
    if case.verified is not None:
        found.append((case.undone or case.verified, case))
    return found


class _Missions(Missions):
    """Writes a mission when it starts, and after each contract that worked for it."""

    _world: _World

    def __init__(self, world: _World, evidence: Evidence) -> None:
        super().__init__(world, evidence)
        self._assigned: dict[str, int] = {}
        self.is_late = False

    def next_for(self, moment: int) -> Mission | None:
        """See `Missions.next_for`; what is told late worked for none, since missions began after it."""
        if self.is_late:
            return None
        self._last_second = 0  # stories begin side by side
        mission = super().next_for(moment)
        if mission is not None:
            assigned = self._assigned[mission.id] = self._assigned.get(mission.id, 0) + 1
            if assigned == mission.planned:
                self._running.remove(mission)
        return mission

    def _start(self, moment: int) -> Mission | None:
        mission = super()._start(moment)
        if mission is not None:
            self._version(mission.started, mission, ended=False)
        return mission

    def report(
        self, mission: Mission, status: str, verified: int, safe_point: str | None, undone: bool
    ) -> None:
        """Count a contract when its outcome is written: others may be written before it."""

        def tell() -> None:
            ended = mission.count(status, verified, safe_point, undone=undone)
            self._version(mission.latest + SECOND, mission, ended=ended)
            if ended:
                del self._assigned[mission.id]
                self._world.book.forget("mission_timelines", mission.id)

        self._world.book.schedule(SPAN, Report(tell))

    def _version(self, moment: int, mission: Mission, *, ended: bool) -> None:
        book = self._world.book
        book.moment = moment
        self._write(mission, ended=ended)
        book.moment = None


class Teller:
    """Makes up what happens next."""

    def __init__(self, *, late: float, rng_seed: int, fixes_parents: bool) -> None:
        """Prepare the row makers.

        Args:
            late: Which share of the stories reaches the database late.
            rng_seed: Seed of all choices.
            fixes_parents: Whether a row can't change any more once another one refers to it.
        """
        self._world = world = _World(rng_seed, fixes_parents=fixes_parents)
        self._late = late
        self._rng = rng = world.stream("live")
        oversight, self._remedies = _Oversight(world), Remedies(world)
        self._contracts = Contracts(world, oversight, self._remedies)
        self._missions = _Missions(world, self._contracts.evidence)
        self._contracts.missions, self._contracts.filing = self._missions, _Filing(world)
        self._beginning = world.book.take()
        world.clock.last = world.clock.first + SPAN
        self._subjects = Deck(rng, SUBJECTS)
        self._tiers = Deck(rng, TIERS)
        self._severities = Deck(rng, SEVERITIES)
        self._healed = Deck(rng, HEALED)
        self._endings = Deck(rng, ENDINGS)
        self._task_ids = world.serial(rng, "task_")
        self._beats = [0] * SHARDS

    def first(self) -> Story:
        """What is there before all else: the certified benchmarks that later ones are compared with."""
        story = Story(Calendar(0), is_late=False)
        story.steps.extend(self._beginning)
        return story

    def next(self) -> Story:
        """A new story."""
        rng, world = self._rng, self._world
        is_late = rng.random() < self._late
        self._missions.is_late = is_late
        moment = world.clock.first + DAY + int(rng.random() * SECOND)
        subject = self._subjects.deal()
        if subject == "contract":
            self._contracts.tell(moment, world.rhythm.slot_at(moment), self._tiers.deal())
        elif subject == "heartbeat":
            self._beat(moment)
        elif subject == "task":
            self._work(moment)
        elif subject == "alert":
            self._remedies.alert(moment, self._severities.deal())
        elif subject == "heal":
            self._remedies.heal(moment, self._healed.deal())
        else:
            self._remedies.abort_run(moment)
        story = Story(Calendar(spread(rng, *LATE) if is_late else 0), is_late)
        story.steps.extend(world.book.take())
        return story

    def report(self, report: Report) -> list[Step]:
        """What follows from a count."""
        report.tell()
        return self._world.book.take()

    def _work(self, moment: int) -> None:
        """A background task, from its request to its end."""
        rng = self._rng
        kind, title = TASKS[int(rng.random() * len(TASKS))]
        started = moment + spread(rng, 1, 120) * SECOND
        write_task(
            self._world,
            rng,
            (self._world.book.next_id("execution_tasks"), self._task_ids(), kind, title),
            self._endings.deal(),
            created=moment,
            started=started,
            ended=started + spread(rng, 4, 2_400) * SECOND,
        )

    def _beat(self, moment: int) -> None:
        """A sign of life of a shard that is well."""
        rng, book = self._rng, self._world.book
        shard = int(rng.random() * SHARDS)
        self._beats[shard] += 1
        active = int(rng.random() * 3)
        book.add(
            "shard_heartbeats",
            {
                "id": book.next_id("shard_heartbeats"),
                "shard_id": f"shard_{shard}",
                "agent_id": f"agent:shard_{shard}",
                "host": f"node_{'abc'[shard % 3]}",
                "sequence": self._beats[shard],
                "status": "healthy" if rng.random() < 0.97 else "degraded",
                "current_task_id": None,
                "queue_depth": spread(rng, 1, 6) - 1,
                "active_tasks": active,
                "completed_tasks": self._beats[shard] // 4,
                "failed_tasks": self._beats[shard] // 60,
                "cpu_percent": round(8 + 30 * active + 12 * rng.random(), 1),
                "memory_mb": round(240 + 80 * active + 60 * rng.random(), 1),
                "latency_ms": round(4 + 12 * rng.random(), 1),
                "version": VERSIONS[-1],
                "metadata": json.dumps({"live": True}),
                "recorded_at": self._world.clock.text(moment),
            },
        )
