"""Missions: goals that many contracts work towards, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck, share, spread
from grace_dbt.simulation.clock import SECOND
from grace_dbt.simulation.evidence import Evidence
from grace_dbt.simulation.vocabulary import SERVICES
from grace_dbt.simulation.world import World

GOALS = (
    ("error_recovery", "Stabilise the {}", "Bring the {} back inside its objectives"),
    ("scheduled_task", "Nightly maintenance of the {}", "Keep the {} tidy and fast"),
    ("user_request", "Roll out changes to the {}", "Ship the agreed changes to the {} safely"),
    ("optimization", "Trim the cost of the {}", "Serve the same load on the {} with less"),
)


@dataclass(slots=True)
class Mission:
    """One mission under way."""

    number: int
    id: str
    kind: str
    name: str
    goal: str
    started: int
    planned: int
    plan_open: bool
    snapshot: str | None
    begun: int = 0
    succeeded: int = 0
    failed: int = 0
    rolled_back: int = 0
    open: int = 0
    safe_points: int = 0
    safe_point: str | None = None
    latest: int = 0

    def count(self, status: str, verified: int, safe_point: str | None, *, undone: bool) -> bool:
        """Count a contract by its status; whether it is the last one of the plan."""
        self.begun += 1
        if status in ("pending", "executing"):
            self.open += 1
        elif status == "verified" or undone:
            self.succeeded += 1
        else:
            self.failed += 1
        self.rolled_back += status == "rolled_back"
        self.latest = max(self.latest, verified)
        if safe_point:
            self.safe_points += 1
            self.safe_point = safe_point
        return self.begun == self.planned


class Missions:
    """Keeps a few missions under way, and writes each one when its plan is worked off."""

    def __init__(self, world: World, evidence: Evidence) -> None:
        """Start with none."""
        self._world = world
        self._evidence = evidence
        self._rng: Random = world.stream("missions")
        self._running: list[Mission] = []
        self._wanted = min(3 + world.contracts // 4000, 60)
        self._last_second = world.clock.first // SECOND
        self._endings = Deck(self._rng, {"completed": 0.86, "failed": 0.14})
        self._states = Deck(self._rng, {"in_progress": 0.8, "paused": 0.2})

    def next_for(self, moment: int) -> Mission | None:
        """The mission that a contract of this moment works for; None while there is none."""
        if len(self._running) < self._wanted and (started := self._start(moment)):
            return started
        return self._rng.choice(self._running) if self._running else None

    def report(
        self, mission: Mission, status: str, verified: int, safe_point: str | None, undone: bool
    ) -> None:
        """Count a contract; the last one of the plan ends the mission."""
        if mission.count(status, verified, safe_point, undone=undone):
            self._running.remove(mission)
            self._write(mission, ended=True)

    def finish(self) -> None:
        """Write what is still under way."""
        for mission in self._running:
            self._write(mission, ended=False)

    def _start(self, moment: int) -> Mission | None:
        rng = self._rng
        second = max(moment // SECOND - spread(rng, 5, 240), self._last_second + 1)
        started = second * SECOND
        if started >= moment:
            return None
        self._last_second = second
        kind, name, goal = GOALS[int(rng.random() * len(GOALS))]
        service = SERVICES[int(rng.random() * len(SERVICES))]
        mission = Mission(
            number=self._world.book.next_id("mission_timelines"),
            id=self._world.mission_id(started),
            kind=kind,
            name=name.format(service),
            goal=goal.format(service),
            started=started,
            planned=spread(rng, 3, 24),
            plan_open=rng.random() < 0.06,
            snapshot=None,
        )
        self._running.append(mission)
        if mission.number == 1 or rng.random() < 0.35:
            mission.snapshot = mission.safe_point = self._evidence.snapshot_id(started)
            mission.safe_points = 1
            self._evidence.snapshot(
                mission.snapshot,
                started,
                contract=None,
                playbook_run=None,
                triggered_by=f"mission:{mission.id}",
                restored=None,
                kind="manual",
            )
        self._world.log.record(
            started,
            "progression_tracker",
            "mission.started",
            mission.id,
            subsystem="verification",
            payload=f'{{"name": "{mission.name}", "planned_actions": {mission.planned}}}',
            result="started",
        )
        return mission

    def _write(self, mission: Mission, *, ended: bool) -> None:
        world, rng, clock = self._world, self._rng, self._world.clock
        completed: int | None = None
        status = "in_progress"
        if ended and not mission.open:
            completed = mission.latest + spread(rng, 1, 90) * SECOND
        if completed is not None and completed <= clock.last:
            mostly_failed = mission.failed * 2 > mission.begun
            status = "failed" if mostly_failed else self._endings.deal()
            world.log.record(
                completed,
                "progression_tracker",
                f"mission.{status}",
                mission.id,
                subsystem="verification",
                payload=f'{{"completed": {mission.succeeded}, "failed": {mission.failed}}}',
                result=status,
            )
        else:
            completed = None
            status = self._states.deal()
        settled = mission.succeeded + mission.failed
        progress = round(mission.succeeded / mission.planned, 4)
        if mission.plan_open:
            progress = 1.0 if status == "completed" else 0.0
        confidence = (mission.succeeded / settled if settled else 1.0) * (0.9**mission.rolled_back)
        world.book.add(
            "mission_timelines",
            {
                "id": mission.number,
                "mission_id": mission.id,
                "mission_name": mission.name,
                "mission_goal": mission.goal,
                "started_at": clock.text(mission.started),
                "completed_at": None if completed is None else clock.text(completed),
                "initial_snapshot_id": mission.snapshot,
                "current_safe_point_id": mission.safe_point,
                "current_state_hash": sha256(f"{mission.id}:{settled}".encode()).hexdigest(),
                "current_health_score": int(share(rng, 62, 88) + 12 * confidence),
                "total_planned_actions": 0 if mission.plan_open else mission.planned,
                "completed_actions": mission.succeeded,
                "failed_actions": mission.failed,
                "rolled_back_actions": mission.rolled_back,
                "progress_ratio": progress,
                "confidence_score": round(confidence, 4),
                "status": status,
                "can_rollback": int(mission.safe_points > 0),
                "rollback_available_count": mission.safe_points,
                "mission_metadata": f'{{"type": "{mission.kind}", "origin": "simulation"}}',
            },
        )
