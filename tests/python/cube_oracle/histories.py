"""Made-up operational rows: many small histories side by side in one SQLite database, each told by its own seed.

Every history owns its ids (`h12-...`, numbers 120000 to 129999), its components and its few moments, so that rows of
different tables meet on the same component at the same time. A history is always the same for one seed, but for the
moments that are taken from the clocks of the refreshes: facts have to fall on the very boundaries of versions.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cube_oracle.reading import utc_now

IDS = 10_000
# A year's end, where weeks belong to the next year, and ordinary weeks.
ERAS = (
    datetime(2025, 12, 28, 23, 30),
    datetime(2025, 12, 31, 23, 58),
    datetime(2026, 1, 3, 6),
    datetime(2026, 2, 28, 12),
    datetime(2026, 3, 13, 8, 59, 59, 999999),
    datetime(2026, 3, 15, 17),
)
# Reached by odd seeds only: the calendar is three times as long with a leap day in it.
LEAP_ERAS = (
    datetime(2023, 12, 31, 23, 58),
    datetime(2024, 2, 28, 23, 30),
    datetime(2024, 2, 29, 12),
)
SHIFTS = (
    0, 0, 0, 1e-6, -1e-6, 0.357176, 1, 59, 60, 3600, -3600, 7200, 43_200, 86_399.999999, 86_400, 86_400.000001, 90_000,
    172_800, -86_400,
)  # fmt: skip
# Kept by rows that are never deleted, so that the calendar has the same ends throughout.
MARGIN, LAST = timedelta(days=5), timedelta(hours=20)
SHARED = ("hunter", "input_sentinel", "database")
NO_TIMES = (
    "",
    "  ",
    "yesterday",
    "2025-02-30 10:00:00",
    "2099-01-01 00:00:00",
    "1970-01-01",
    "2023-02-29",
    "24:00",
)
NO_NUMBERS = ("high", "1,5", "0x1A", "Infinity", "1e999", "")
NO_JSON = ("{not json", '{"a": NaN}', '{"a": 1,}', "", "nothing")
TIERS = ("tier_1", "tier_1", "tier_2", "tier_3", "tier_3", "tier_9", "TIER_1", " tier_2 ", "", None)
CONTRACT = (
    "pending", "executing", "verified", "verified", "partial_success", "failed", "rolled_back", "Verified", "exploded",
    " verified ", "",
)  # fmt: skip
RUN = (
    "pending",
    "running",
    "succeeded",
    "succeeded",
    "failed",
    "rolled_back",
    "aborted",
    "Succeeded",
    "lost",
    "",
)
MISSION = ("in_progress", "completed", "completed", "failed", "paused", "Completed", "abandoned")
WORDS = (
    "restart_service",
    "größe ändern",
    "deploy 🦆",
    'it\'s "quoted"',
    "deploy_config",
    " padded ",
    "",
)
STARTERS = (
    "user:anna",
    "system:sentinel",
    "System:Sentinel",
    "cron",
    "agent:shard_1",
    "hunter:7",
    "robot",
    "",
    None,
)


def eras_of(seed: int) -> tuple[datetime, ...]:
    """When the histories of a seed happen."""
    return (*ERAS, *LEAP_ERAS) if seed % 2 else ERAS


class History:
    """One history: what it may do next depends on what it did, and on its own chance alone."""

    def __init__(self, seed: int, number: int, connection: sqlite3.Connection) -> None:
        self.number, self.connection = number, connection
        self.chance = Random(f"{seed}:{number}")
        self.ids: dict[str, list[Any]] = defaultdict(list)
        self.last: dict[str, int] = defaultdict(int)
        self.components = [
            f"h{number}-{name}" for name in ("api", "cache", "größe")[: self.chance.randint(1, 3)]
        ]
        eras = self.chance.sample(eras_of(seed), 2)
        self.moments = [
            self.chance.choice(eras) + self.span(6) for _ in range(self.chance.randint(2, 4))
        ]
        self.clocks: list[datetime] = []
        self.makers: dict[str, Callable[[], dict[str, Any]]] = {
            "action_contracts": self.contract,
            "benchmark_runs": self.benchmark,
            "mission_timelines": self.mission,
            "safe_hold_snapshots": self.snapshot,
            "approval_requests": self.request,
            "playbook_runs": self.run,
            "playbook_step_runs": self.step,
            "healing_actions": self.healing,
            "immutable_log": self.entry,
            "security_events": self.alert,
            "agentic_insights": self.insight,
            "governance_votes": self.vote,
            "constitutional_compliance": self.check,
            "execution_tasks": self.task,
            "shard_heartbeats": self.beat,
        }
        self.weights = {
            "action_contracts": 6, "benchmark_runs": 3, "mission_timelines": 2, "safe_hold_snapshots": 2,
            "approval_requests": 3, "playbook_runs": 5, "playbook_step_runs": 2, "healing_actions": 4,
            "immutable_log": 7, "security_events": 3, "agentic_insights": 5, "governance_votes": 1,
            "constitutional_compliance": 2, "execution_tasks": 3, "shard_heartbeats": 1,
        }  # fmt: skip
        if number % 10 == 0:
            # A majority takes many ballots of one session, which no other history may share.
            self.weights["governance_votes"] = 20

    # What happens between two refreshes.

    def go_on(self, clocks: Sequence[datetime]) -> None:
        """Apply what is pending before the next refresh; `clocks` are those of the refreshes before."""
        self.clocks = list(clocks)
        steps = (
            self.chance.choice((0, 1, 3, 8, 14, 20))
            if clocks
            else self.chance.choice((1, 8, 20, 30))
        )
        for _ in range(steps):
            kind = self.chance.random()
            if kind < 0.62:
                [table] = self.chance.choices(list(self.weights), list(self.weights.values()))
                self.insert(table)
            elif kind < 0.72:
                self.mission_goes_on()
            elif kind < 0.92:
                self.update()
            else:
                self.delete()

    def insert(self, table: str) -> None:
        row = self.makers[table]()
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        self.connection.execute(
            f"insert into {table} ({names}) values ({marks})", list(row.values())
        )
        self.ids[table].append(row["id"])

    def change(self, table: str, key: Any, **values: Any) -> None:
        cells = ", ".join(f'"{name}" = ?' for name in values)
        self.connection.execute(f"update {table} set {cells} where id = ?", [*values.values(), key])

    def update(self) -> None:
        """One or two columns take what a new row would have; most changes move no clock."""
        table = self.chance.choice([t for t in self.makers if t != "immutable_log"])
        if not self.ids[table]:
            return
        key = self.chance.choice(self.ids[table])
        fixed = {"id", "run_id" if table == "benchmark_runs" else "id", "task_id", "mission_id"}
        columns = {name: value for name, value in self.makers[table]().items() if name not in fixed}
        names = self.chance.sample(list(columns), self.chance.randint(1, 2))
        if table in ("action_contracts", "playbook_runs") and self.chance.random() < 0.4:
            names = ["status"]
        self.change(table, key, **{name: columns[name] for name in names})
        if table == "action_contracts" and self.chance.random() < 0.1:
            self.change(table, key, id=(renamed := f"{key}r{len(self.ids[table])}"))
            self.ids[table].append(renamed)
            self.ids[table].remove(key)

    def delete(self) -> None:
        table = self.chance.choice([t for t in self.makers if t != "immutable_log"])
        if self.ids[table]:
            key = self.ids[table].pop(self.chance.randrange(len(self.ids[table])))
            self.connection.execute(f"delete from {table} where id = ?", [key])
            self.ids["playbook_step_runs"] = [
                key for (key,) in self.connection.execute(
                    "select id from playbook_step_runs where id between ? and ?",
                    [self.number * IDS, self.number * IDS + IDS - 1],
                )
            ]  # fmt: skip

    def mission_goes_on(self) -> None:
        """Completed, reopened, renamed, retyped: by a clock that is told late, on time or not at all."""
        if not self.ids["mission_timelines"]:
            return self.insert("mission_timelines")
        key = self.chance.choice(self.ids["mission_timelines"])
        step = self.chance.randrange(5)
        if step == 0:
            self.change(
                "mission_timelines", key, status="completed", completed_at=self.time(empty=0)
            )
        elif step == 1:
            self.change("mission_timelines", key, status="in_progress", completed_at=None)
        elif step == 2:
            self.change(
                "mission_timelines", key, mission_name=f"Renamed {self.chance.randrange(3)}"
            )
        elif step == 3:
            self.change("mission_timelines", key, mission_metadata=self.metadata())
        else:
            self.change(
                "mission_timelines", key, completed_at=self.time(), progress_ratio=self.ratio()
            )
        return None

    # Single values.

    def id(self, table: str) -> int:
        self.last[table] += 1
        return self.number * IDS + self.last[table]

    def span(self, hours: int) -> timedelta:
        return timedelta(
            minutes=self.chance.randrange(hours * 60),
            microseconds=self.chance.choice((0, 0, 357176)),
        )

    def moment(self) -> datetime:
        """Often the very moment of something else; sometimes on, or beside, the clock of a refresh."""
        if self.clocks and self.chance.random() < 0.3:
            around = (0, 0, 1e-6, -1e-6, 1, -60, 3600)
            return self.chance.choice(self.clocks) + timedelta(seconds=self.chance.choice(around))
        return self.chance.choice(self.moments) + timedelta(seconds=self.chance.choice(SHIFTS))

    def time(self, *, empty: float = 0.15) -> str | None:
        """A moment as some writer spells it, or nothing, or nothing that can be read."""
        dice = self.chance.random()
        if dice < empty:
            return None
        return self.chance.choice(NO_TIMES) if dice > 0.97 else self.spelled(self.moment())

    def spelled(self, moment: datetime) -> str:
        way = self.chance.randrange(6)
        if way == 0 and moment.microsecond == 0:
            return moment.isoformat(sep=" ")
        if way == 1:
            return moment.isoformat() + self.chance.choice(("Z", "+00:00", "", " Z", "z"))
        if way == 2:
            return (moment + timedelta(hours=2)).isoformat() + "+02:00"
        if way == 3:
            return (moment - timedelta(hours=5, minutes=30)).isoformat(sep=" ") + "-0530"
        if way == 4 and moment.second == 0 and moment.microsecond == 0:
            return moment.strftime("%Y-%m-%d %H:%M")
        return moment.isoformat(sep=" ", timespec="microseconds")

    def must(self) -> str:
        """A time where the schema wants one."""
        return self.time(empty=0) or ""

    def one(self, table: str, *, lost: str | None = None) -> Any:
        """The id of some row of this history; sometimes of none."""
        known = self.ids[table]
        return self.chance.choice(known) if known and self.chance.random() < 0.9 else lost

    def component(self) -> str | None:
        odd = self.chance.random()
        if odd < 0.08:
            return self.chance.choice(
                (None, "", "unknown", f"h{self.number}-seldom", f" {self.components[0]} ")
            )
        return self.chance.choice(SHARED) if odd < 0.14 else self.chance.choice(self.components)

    def actor(self) -> str | None:
        own = f"h{self.number}-anna"
        return self.chance.choice((
            f"user:{own}", f"user:{own}", f"User:{own}", f"human:{own}", f"agent:{own}", f"system:{own}",
            f"input_sentinel:{own}", "cognition:plan:with:colons", "hunter", "Hunter:9", f"robot:{own}", own, "unknown",
            "", None, f" user:{own} ", "mission:none", "user", ":nobody",
        ))  # fmt: skip

    def name(self) -> str | None:
        """Who, in a column that names people."""
        own = f"h{self.number}-otto"
        return self.chance.choice(
            (own, own, f"user:{own}", f"agent:{own}", "", None, f" {own} ", "hunter:3", "unknown")
        )

    def session(self) -> int | str:
        """Nearly always the same one, so that ballots meet; what is no number is a name like any other."""
        own = self.number * IDS
        return self.chance.choice((own, own, own, own, own, own + 1, f"h{self.number}-s", " "))

    def triggered(self) -> str | None:
        mission = self.one("mission_timelines")
        if mission is None or self.chance.random() < 0.4:
            return self.actor()
        prefix = self.chance.choice(("mission:", "mission:", "Mission:", "mission: "))
        return f"{prefix}h{self.number}-m{mission % IDS}"

    def ratio(self) -> Any:
        return self.chance.choice(
            (0.1 + 0.2, 0, 1, 0.12345678901234568, 0.5, None, *NO_NUMBERS[:2])
        )

    def count(self) -> Any:
        return self.chance.choice((0, 1, 5, 12, 1.5, "7", "many", None))

    def flag(self) -> Any:
        return self.chance.choice((0, 1, 1, "true", "f", "maybe", 2))

    def word(self) -> str:
        return self.chance.choice(WORDS)

    def json(self, **members: Any) -> str | None:
        """An object with some of these members, or none, or something that is no JSON."""
        dice = self.chance.random()
        if dice < 0.1:
            return self.chance.choice(NO_JSON)
        kept = {name: value for name, value in members.items() if self.chance.random() < 0.7}
        return None if dice > 0.95 else json.dumps(kept, ensure_ascii=self.chance.random() < 0.5)

    def array(self) -> str | None:
        return self.chance.choice(
            ("[]", '["a"]', '["a", "b", {"c": 1}]', '{"a": 1}', "3", "[1,", None)
        )

    def metadata(self) -> str | None:
        return self.json(
            type=self.chance.choice(("optimization", "", " padded ", None)),
            triggered_by=self.chance.choice(STARTERS),
            started_by=self.chance.choice(STARTERS),
        )

    # New rows.

    def contract(self) -> dict[str, Any]:
        return {
            "id": f"h{self.number}-c{self.id('action_contracts') % IDS}",
            "action_type": self.word(),
            "playbook_id": self.chance.choice(("pb", " pb ", "", None)),
            "run_id": self.one("playbook_runs") if self.chance.random() < 0.6 else None,
            "expected_effect_hash": "0",
            "expected_effect": "{}",
            "baseline_state": "{}",
            "status": self.chance.choice(CONTRACT),
            "actual_effect": self.json(error=self.chance.choice(("disk", 5, True, None))),
            "verification_result": self.json(
                error=self.chance.choice(("errors rose; see 'log'", "ünïcödé", None))
            ),
            "confidence_score": self.ratio(),
            "created_at": self.must(),
            "executed_at": self.time(),
            "verified_at": self.time(empty=0.3),
            "safe_hold_snapshot_id": self.chance.choice(
                (self.one("safe_hold_snapshots"), "", " s ", None)
            ),
            "triggered_by": self.triggered(),
            "tier": self.chance.choice(TIERS),
        }

    def benchmark(self) -> dict[str, Any]:
        number = self.id("benchmark_runs")
        contract = self.one("action_contracts", lost="gone")
        named = (
            f"contract:{contract}",
            f"contract:{contract}",
            contract,
            f"Contract:{contract}",
            self.actor(),
            "contract:",
        )
        return {
            "id": number,
            "run_id": f"h{self.number}-b{self.chance.randrange(100)}-{number}",
            "triggered_by": self.chance.choice(named),
            "benchmark_type": self.chance.choice(("smoke", "regression", " smoke ", "")),
            "results": "{}",
            "metrics": "{}",
            "passed": self.flag(),
            "baseline_id": self.chance.choice(("base", "", None)),
            "delta_from_baseline": self.json(
                a=-0.25, b=self.chance.choice((3, 0.1, "slow", True, None)), c=[9]
            ),
            "drift_detected": self.flag(),
            "duration_seconds": self.chance.choice((1.5, 0, 12, "long")),
            "created_at": self.must(),
            "is_golden": self.flag(),
        }

    def mission(self) -> dict[str, Any]:
        number = self.id("mission_timelines")
        # A padded id is another row to the database and the same mission to everybody else.
        again = self.ids["mission_timelines"] and self.chance.random() < 0.15
        told = self.chance.choice(self.ids["mission_timelines"]) if again else number
        return {
            "id": number,
            "mission_id": f"h{self.number}-m{told % IDS}" + " " * (number % IDS if again else 0),
            "mission_name": self.chance.choice((f"h{self.number}-name", "größer 🦆", " padded ")),
            "started_at": self.must(),
            "completed_at": self.time(empty=0.6),
            "initial_snapshot_id": self.one("safe_hold_snapshots"),
            "current_health_score": self.count(),
            "total_planned_actions": self.count(),
            "completed_actions": self.count(),
            "failed_actions": self.count(),
            "rolled_back_actions": self.count(),
            "progress_ratio": self.ratio(),
            "confidence_score": self.ratio(),
            "status": self.chance.choice(MISSION),
            "can_rollback": self.flag(),
            "mission_metadata": self.metadata(),
        }

    def snapshot(self) -> dict[str, Any]:
        return {
            "id": f"h{self.number}-s{self.id('safe_hold_snapshots') % IDS}",
            "snapshot_type": self.chance.choice(("pre_action", "golden", "manual", "odd")),
            "triggered_by": self.chance.choice((self.triggered(), *STARTERS)),
            "action_contract_id": self.one("action_contracts", lost="gone"),
            "playbook_run_id": self.one("playbook_runs"),
            "manifest": "{}",
            "manifest_hash": "0",
            "system_health_score": self.count(),
            "status": self.chance.choice(("active", "restored", "invalidated", "Restored", "")),
            "is_golden": self.flag(),
            "is_validated": self.flag(),
            "created_at": self.must(),
            "validated_at": self.time(empty=0.4),
            "restored_at": self.time(empty=0.6),
        }

    def request(self) -> dict[str, Any]:
        contract = self.one("action_contracts", lost="gone")
        return {
            "id": (number := self.id("approval_requests")),
            "event_id": number,
            "status": self.chance.choice(
                ("pending", "approved", "approved", "rejected", "Approved", "lost", "", None)
            ),
            "requested_by": self.actor(),
            "reason": self.chance.choice(
                (f"{contract} rotates keys", contract, f" {contract}  twice", "no id", "", None)
            ),
            "decision_by": self.name(),
            "created_at": self.time(empty=0.05),
            "decided_at": self.time(empty=0.3),
        }

    def run(self) -> dict[str, Any]:
        return {
            "id": self.id("playbook_runs"),
            "playbook_id": self.chance.choice((7, 9, 10, 100, None)),
            "service": self.component(),
            "status": self.chance.choice(RUN),
            "requested_by": self.actor(),
            "approval_request_id": self.one("approval_requests")
            if self.chance.random() < 0.5
            else None,
            "diagnosis": self.json(risk_score=self.chance.choice((0.7, "0.4", "high", None))),
            "created_at": self.time(empty=0.05),
            "started_at": self.time(),
            "ended_at": self.time(),
        }

    def step(self) -> dict[str, Any]:
        return {
            "id": self.id("playbook_step_runs"),
            "run_id": self.one("playbook_runs"),
            "step_id": self.chance.choice((1, 2, None)),
            "step_order": self.count(),
            "status": self.chance.choice(RUN),
            "created_at": self.time(empty=0.05),
            "ended_at": self.time(),
        }

    def healing(self) -> dict[str, Any]:
        return {
            "id": self.id("healing_actions"),
            "component": self.component(),
            "action": self.word(),
            "result": self.chance.choice(
                ("success", "succeeded", "SUCCESS", "success ", "failed", "", None)
            ),
            "created_at": self.time(empty=0.05),
        }

    def entry(self) -> dict[str, Any]:
        number = self.id("immutable_log")
        action = self.chance.choice((
            "error.detected", "error.detected", "error.resolved", "error.resolved", "error.escalated", "Error.Detected",
            "error.", "sandbox.execution_failed", "circuit_breaker.open", "circuit_breaker_open",
            "circuit_breaker.closed",
            "deploy_FAILED", "login denied", "contract.failed", "knowledge.ingested", "mission.failed", "timeout", "",
        ))  # fmt: skip
        return {
            "id": number,
            "sequence": number,
            "actor": self.chance.choice((self.actor(), self.component())) or "kernel",
            "action": action,
            "resource": self.chance.choice(
                (f"h{self.number}-e1", f"h{self.number}-e1", f"h{self.number}-e2", "", None)
            ),
            "payload": self.json(
                error_type=self.chance.choice(("Timeout", "größe", "", 5, None)),
                severity=self.chance.choice(("low", "WARN", "Critical", "odd", "", 3, None)),
                source=self.chance.choice((*self.components, "", None)),
                playbook=self.chance.choice(("warm_cache", "7", "", None)),
                auto_resolved=self.chance.choice((True, False, "false", "maybe", None)),
            ),
            "result": self.chance.choice(
                ("failed", "Error", "denied", "logged", "published", "timeout", "", None)
            ),
            "entry_hash": f"{number}",
            "previous_hash": "0",
            "timestamp": self.time(empty=0.05),
        }

    def alert(self) -> dict[str, Any]:
        return {
            "id": self.id("security_events"),
            "actor": self.actor(),
            "action": self.chance.choice(("token_reuse", "policy_probe", "größe", "", None)),
            "resource": self.component(),
            "severity": self.chance.choice(("low", "HIGH", "panic", "odd", "", None)),
            "status": self.chance.choice(("open", "resolved", "resolved", "Resolved", "", None)),
            "created_at": self.time(empty=0.05),
            "resolved_at": self.time(empty=0.3),
            "resolution_note": self.chance.choice(("blocked", " ", "", None, None)),
        }

    def insight(self) -> dict[str, Any]:
        service = self.component()
        return {
            "id": self.id("agentic_insights"),
            "run_id": self.chance.choice(
                (f"h{self.number}-i1", f"h{self.number}-i1", f"h{self.number}-i2", " ")
            ),
            "phase": self.chance.choice(
                ("sensing", "sensing", "completion", "completion", "approval", "Sensing")
            ),
            "timestamp": self.time(empty=0.05),
            "signal_type": self.chance.choice(
                ("ConnectionError", "User_Request.new", "schedule", "größe", "", None)
            ),
            "signal_summary": self.chance.choice(
                (
                    f"{service} reported Error",
                    f"{service} reported it reported that",
                    "quiet",
                    " reported it",
                    None,
                )
            ),
            "approval_required": self.chance.choice((0, 0, 0, 0, 1, "t", None)),
            "approved_by": self.chance.choice((None, None, None, None, "", self.name())),
            "outcome": self.chance.choice(("success", "success", "Success", "failed", None)),
        }

    def vote(self) -> dict[str, Any]:
        return {
            "id": self.id("governance_votes"),
            "session_id": self.session(),
            "member_id": self.chance.randrange(3),
            "vote": self.chance.choice(("approve", "reject", "abstain", "Approve", " ")),
            "vote_weight": self.ratio(),
            "automated": self.flag(),
            "confidence": self.ratio(),
            "vote_signature": self.chance.choice(("sig", " ", "", None)),
            "verification_status": self.chance.choice(("pending", "verified", "odd", None)),
            "created_at": self.time(empty=0.05),
        }

    def check(self) -> dict[str, Any]:
        return {
            "id": self.id("constitutional_compliance"),
            "action_id": self.chance.choice(
                (self.one("action_contracts", lost="gone"), "gone", " ")
            ),
            "actor": self.actor() or "kernel",
            "action_type": self.word(),
            "resource": self.chance.choice((self.component(), " ")),
            "principles_checked": self.array(),
            "principles_failed": self.array(),
            "compliant": self.flag(),
            "compliance_score": self.ratio(),
            "explanation_provided": self.flag(),
            "reasoning_logged": self.flag(),
            "approval_obtained": self.flag(),
            "verification_signed": self.flag(),
            "violation_ids": self.array(),
            "created_at": self.time(empty=0.05),
        }

    def task(self) -> dict[str, Any]:
        number = self.id("execution_tasks")
        return {
            "id": number,
            "task_id": f"h{self.number}-t{number % IDS}",
            "user": self.name() or "",
            "task_type": self.word(),
            "status": self.chance.choice(
                ("queued", "running", "completed", "failed", "cancelled", "Failed", "odd", None)
            ),
            "progress": self.ratio(),
            "error": self.chance.choice(("disk full", " ", "", None)),
            "created_at": self.time(empty=0.05),
            "started_at": self.time(),
            "completed_at": self.time(),
        }

    def beat(self) -> dict[str, Any]:
        task = self.one("execution_tasks")
        return {
            "id": self.id("shard_heartbeats"),
            "shard_id": f"h{self.number}-shard",
            "agent_id": self.actor(),
            "host": self.chance.choice(("node", "", None)),
            "sequence": self.last["shard_heartbeats"],
            "status": self.chance.choice(("healthy", "healthy", "degraded", "Healthy", "odd")),
            "current_task_id": None if task is None else f"h{self.number}-t{task % IDS}",
            **{
                name: self.chance.choice((0, 3, 1.5, "many"))
                for name in ("queue_depth", "active_tasks", "completed_tasks", "failed_tasks")
            },
            **{name: self.ratio() for name in ("cpu_percent", "memory_mb", "latency_ms")},
            "version": self.chance.choice(("1.4.0", "", None)),
            "recorded_at": self.must(),
        }


class KernelHistory(History):
    """What the kernels write beside a history, by a chance of its own."""

    def __init__(self, seed: int, number: int, connection: sqlite3.Connection) -> None:
        super().__init__(seed, number, connection)
        self.chance = Random(f"{seed}:{number}:kernels")
        self.makers = {
            "processing_metrics": self.sample,
            "silver_records": self.record,
            "intel_requests": self.asked,
            "intel_results": self.answer,
            "intel_specialist_reports": self.report,
            "intel_policy_violations": self.breach,
            "quality_reports": self.quality,
            "memory_access_patterns": self.access,
            "fusion_memory": self.remembered,
            "orchestration_loops": self.loop,
            "orchestration_tasks": self.work,
            "circuit_breakers": self.breaker,
            "active_degradations": self.degradation,
            "sli_measurements": self.level,
        }
        self.keys = dict.fromkeys(self.makers, "id") | {
            "intel_requests": "req_id",
            "intel_results": "req_id",
            "intel_specialist_reports": "report_id",
            "intel_policy_violations": "violation_id",
            "quality_reports": "report_id",
            "fusion_memory": "entry_id",
            "orchestration_loops": "loop_id",
            "orchestration_tasks": "task_id",
        }

    def go_on(self, clocks: Sequence[datetime]) -> None:
        """Apply what is pending before the next refresh; `clocks` are those of the refreshes before."""
        self.clocks = list(clocks)
        for _ in range(self.chance.choice((0, 2, 5, 12)) if clocks else 12):
            kind, table = self.chance.random(), self.chance.choice(list(self.makers))
            if kind < 0.65 or not self.ids[table]:
                self.insert(table)
            elif kind < 0.9:
                self.renew(table)
            elif table not in ("intel_requests", "orchestration_loops"):
                key = self.ids[table].pop(self.chance.randrange(len(self.ids[table])))
                self.connection.execute(f"delete from {table} where {self.keys[table]} = ?", [key])

    def insert(self, table: str) -> None:
        row = self.makers[table]()
        if row[self.keys[table]] in self.ids[table]:
            return
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        self.connection.execute(
            f"insert into {table} ({names}) values ({marks})", list(row.values())
        )
        self.ids[table].append(row[self.keys[table]])

    def renew(self, table: str) -> None:
        """Two columns take what a new row would have; content that isn't landed may be one of them."""
        row = self.makers[table]()
        key, name = self.chance.choice(self.ids[table]), self.keys[table]
        for column in self.chance.sample([n for n in row if n not in (name, "record_id")], 2):
            self.connection.execute(
                f'update {table} set "{column}" = ? where {name} = ?', [row[column], key]
            )

    def key(self, table: str) -> str:
        return f"h{self.number}-{self.id(table)}"

    def call(self) -> Any:
        return self.one("intel_requests")

    def sample(self) -> dict[str, Any]:
        return {
            "id": self.id("processing_metrics"),
            "source_id": self.chance.choice("st"),
            "stage": self.chance.choice(("capture", " publish ", "")),
            "timestamp": self.time(),
            "throughput_rps": self.ratio(),
            "error_rate": self.ratio(),
            "avg_latency_ms": self.ratio(),
        }

    def record(self) -> dict[str, Any]:
        number = self.id("silver_records")
        return {
            "id": number,
            "record_id": f"h{self.number}-{number}",
            "contract": self.word(),
            "source_id": self.chance.choice("st"),
            "raw_event_id": "e1",
            "source_uri": "u",
            "fetched_at": self.must(),
            "parser": "p",
            "content_hash": "h",
            "trust_score": self.chance.choice((0, 1, 0.12345678901234568, "0.5")),
            "transforms": "[]",
            "created_at": self.time(),
            "storage_uri": "u",
        }

    def asked(self) -> dict[str, Any]:
        return {
            "req_id": self.key("intel_requests"),
            "task": self.word(),
            "context_json": self.json(env="prod") or "{}",
            "latency_budget_ms": self.count(),
            "segment": self.chance.choice(("default", " trial ", "", None)),
            "env": self.chance.choice(("dev", "staging", "prod", "Prod", None)),
            "created_at": self.time(),
            "status": self.chance.choice(("received", "completed", "odd", None)),
        }

    def answer(self) -> dict[str, Any]:
        if (request := self.call()) is None:
            self.insert("intel_requests")
            request = self.ids["intel_requests"][-1]
        return {
            "req_id": request,
            "outputs_json": self.json(label="ok", confidence=self.ratio()),
            "metrics_json": self.json(calibration=self.ratio(), fairness_delta=self.ratio()),
            "explanations_json": self.json(why=self.word()),
            "uncertainties_json": self.json(calibration=self.ratio(), variance=0.1),
            "timing_json": self.json(total_ms=self.chance.choice((245, 0.5, "17", True, [1], 10**30))),
            "success": self.flag(),
            "created_at": self.time(),
        }  # fmt: skip

    def report(self) -> dict[str, Any]:
        return {
            "report_id": self.key("intel_specialist_reports"),
            "req_id": self.call(),
            "specialist_name": self.chance.choice(("vision", " language ", "")),
            "model_key": self.chance.choice(("xgb@1.3.2", "", None)),
            "execution_time_ms": self.count(),
            "success": self.flag(),
            "created_at": self.time(),
        }

    def breach(self) -> dict[str, Any]:
        return {
            "violation_id": self.key("intel_policy_violations"),
            "req_id": self.call(),
            "violation_type": self.chance.choice(
                ("confidence", "fairness", "fairness_delta", "Fairness", "odd")
            ),
            "severity": self.chance.choice(("warning", "odd", None)),
            "required_value": self.ratio(),
            "actual_value": self.ratio(),
            "created_at": self.time(),
        }

    def quality(self) -> dict[str, Any]:
        return {
            "report_id": self.key("quality_reports"),
            "dataset_id": self.chance.choice("de"),
            "version": self.chance.choice(("1.0.0", " 1.1.0 ", "", None)),
            "coverage_ratio": self.ratio(),
            "label_agreement": self.ratio(),
            "drift_psi": self.ratio(),
            "created_at": self.time(),
        }

    def access(self) -> dict[str, Any]:
        return {
            "id": self.key("memory_access_patterns"),
            "key": "k",
            "access_type": self.chance.choice(("read", " write ", "")),
            "access_timestamp": self.must(),
            "response_time_ms": self.chance.choice((0, 0.25, 12, "slow", "7")),
            "cache_hit": self.flag(),
            "query_context": self.json(terms=self.word()),
        }

    def remembered(self) -> dict[str, Any]:
        return {
            "entry_id": self.key("fusion_memory"),
            "key": "k",
            "content": self.chance.choice((b"\xff\x00", b"{}", "text")),
            "content_type": self.chance.choice(("application/json", " text/plain ", "")),
            "size_bytes": self.chance.choice((0, 2, 10**15, 10**15 - 1, "12", "big")),
            "checksum": "c",
            "compression_type": self.chance.choice(("gzip", "zstd", None)),
            "metadata": self.json(origin=self.word()),
            "created_at": self.must(),
            "updated_at": self.must(),
        }

    def loop(self) -> dict[str, Any]:
        return {
            "loop_id": self.key("orchestration_loops"),
            "name": self.word(),
            "priority": 1,
            "interval_s": 60,
            "kernels": self.array() or "[]",
            "policies": "[]",
            "created_at": self.must(),
            "updated_at": self.must(),
            "run_count": self.chance.choice((0, 1, 12, -1, 10**15, "7", "many", None)),
            "average_duration": self.chance.choice((0, 0.5, 12.25, -1, "long", None)),
        }

    def work(self) -> dict[str, Any]:
        if not self.ids["orchestration_loops"]:
            self.insert("orchestration_loops")
        return {
            "task_id": self.key("orchestration_tasks"),
            "loop_id": self.chance.choice(self.ids["orchestration_loops"]),
            "stage": self.chance.choice(("sense", " act ", "")),
            "inputs": "{}",
            "status": self.chance.choice((
                "pending", "running", "completed", "failed", "cancelled", "timeout", "rolled_back", " failed ",
                "Failed", "odd",
            )),
            "created_at": self.must(),
            "started_at": self.time(),
            "completed_at": self.time(),
        }  # fmt: skip

    def breaker(self) -> dict[str, Any]:
        return {
            "id": self.key("circuit_breakers"),
            "component_name": self.component() or "",
            "state": self.chance.choice(("closed", "open", "half_open")),
            "updated_at": self.must(),
        }

    def degradation(self) -> dict[str, Any]:
        return {
            "id": self.key("active_degradations"),
            "component_name": self.component() or "",
            "policy_id": "dp",
            "degradation_level": self.chance.choice(("mild", "moderate", "severe")),
            "started_at": self.must(),
        }

    def level(self) -> dict[str, Any]:
        return {
            "id": self.key("sli_measurements"),
            "sli_name": self.word(),
            "component_name": self.component() or "",
            "measurement_type": self.chance.choice(
                ("latency", "availability", "error_rate", " latency ", "Latency", "odd", "")
            ),
            "value": self.chance.choice((0.995, 0.995, 0.1 + 0.2, 300, "high")),
            "target_value": self.chance.choice((0.995, 0.995, 0.3, 300, "high")),
            "measured_at": self.must(),
        }


class Histories:
    """All histories of one seed, in one database."""

    def __init__(self, connection: sqlite3.Connection, seed: int, numbers: Sequence[int]) -> None:
        connection.execute("pragma foreign_keys = on")
        self.connection, self.seed = connection, seed
        self.histories: list[History] = []
        for number in numbers:
            self.histories += (
                History(seed, number, connection),
                KernelHistory(seed, number, connection),
            )
        self.rounds = 0

    def go_on(self, clocks: Sequence[datetime]) -> None:
        """Apply what every history has pending before the next refresh."""
        self._frame()
        if not clocks:
            self._frame()
        for history in self.histories:
            history.go_on(clocks)
        self.connection.commit()
        assert not self.connection.execute("pragma foreign_key_check").fetchall()

    def _frame(self) -> None:
        """Rows of the tables that no fact reads, one of which holds the first and last day of the calendar."""
        self.rounds += 1
        n, when = self.rounds, "2025-11-14 11:10:10"
        edge = {1: str(min(eras_of(self.seed)) - MARGIN), 2: str(utc_now() + LAST)}.get(n)
        run = self.connection.execute
        run("insert into audit_logs (entry_id, category, data_json, transparency_level, timestamp, hash)"
            " values (?, 'c', '{}', 'l', ?, 'h')", [f"a{n}", edge or when])  # fmt: skip
        run("insert into chain_verification values (?, 0, 1, 'h', ?, 'valid')", [n, when])
        run("insert into governance_decisions values (?, ?, '{}', 'd', '1', 1, '[]', 'odd', ?, 'user:eve')",
            [f"g{n}", f"g{n}", when])  # fmt: skip
        run(
            "insert or ignore into sources (source_id, kind, uri, parser, target_contract)"
            " values ('s', 'k', 'u', 'p', 't'), ('t', 'k', 'u', 'p', 't')"
        )
        run("insert into bronze_raw_events (event_id, source_id, kind, offset, watermark, content_hash, storage_uri,"
            " ingestion_ts) values (?, 's', 'k', 'o', ?, 'h', 'u', ?)", [f"e{n}", when, when])  # fmt: skip
        run(
            "insert or ignore into datasets (dataset_id, task, modality)"
            " values ('d', 'nlp', 'text'), ('e', 'nlp', 'text')"
        )
        run("insert into dataset_versions (version_id, dataset_id, version, source_refs_json, created_at)"
            " values (?, 'd', ?, '{}', ?)", [f"v{n}", str(n), when])  # fmt: skip
        run("insert or ignore into degradation_policies (id, policy_name, component_pattern, trigger_conditions,"
            " degradation_actions) values ('dp', 'p', '.*', '{}', '[]')")  # fmt: skip
        run("insert into memory_operations (id, operation_type, key, component, duration_ms, timestamp)"
            " values (?, 'get', 'k', 'c', 'long', ?)", [f"m{n}", when])  # fmt: skip
