"""Remedies: playbook runs with their steps, agent runs, healing actions, and security alerts."""

from __future__ import annotations

from math import sqrt
from random import Random

from grace_dbt.simulation.case import Case
from grace_dbt.simulation.chance import Deck, share, spread
from grace_dbt.simulation.clock import SECOND
from grace_dbt.simulation.vocabulary import (
    COMPONENTS,
    ERRORS,
    PLAYBOOKS,
    SERVICES,
    SEVERITIES,
    SHARDS,
    USERS,
)
from grace_dbt.simulation.world import World

RUN_STATUS = {
    "pending": "pending",
    "executing": "running",
    "verified": "succeeded",
    "partial_success": "succeeded",
    "failed": "failed",
    "rolled_back": "rolled_back",
}
# What the last attempted step of a run came to; the ones before it succeeded.
LAST_STEP = {
    "running": "running",
    "failed": "failed",
    "rolled_back": "rolled_back",
    "aborted": "aborted",
    "succeeded": "succeeded",
}
HEALING = ("restart", "reload_config", "flush_cache", "vacuum", "reconnect")
HEALED = {"success": 0.85, "failed": 0.1, "no_effect": 0.05}
ALERTS = ("intrusion_attempt", "policy_probe", "file_write", "network_call", "token_reuse")
NO_PHASE: dict[str, object] = dict.fromkeys((
    "id", "run_id", "phase", "timestamp", "signal_type", "signal_summary", "diagnosis",
    "root_cause", "plan_type", "plan_summary", "guardrails_checked", "guardrails_passed",
    "risk_score", "confidence", "rationale", "options_considered", "chosen_option",
    "approval_required", "approved_by", "approved_at", "executed_at", "outcome", "outcome_detail",
    "verified",
))  # fmt: skip


class Remedies:
    """Writes what was done about errors."""

    def __init__(self, world: World) -> None:
        """Start with none."""
        self._world = world
        self._rng: Random = world.stream("remedies")
        self._seen: set[str] = set()
        self._insight_share = min(1.0, 12 / sqrt(world.contracts))
        self._insight_ids = world.serial(self._rng, "insight_")

    def runs_playbook(self, case: Case) -> bool:
        """Whether a playbook carries the contract: each outcome once, then a few in a hundred."""
        if case.settled and case.started is None:
            return False  # refused: nothing was run
        if case.status not in self._seen:
            self._seen.add(case.status)
            return True
        return self._rng.random() < 0.03

    def run_playbook(self, case: Case) -> None:
        """Write the run that carries a contract, and note it in the case."""
        name, number, steps = PLAYBOOKS[int(self._rng.random() * len(PLAYBOOKS))]
        ended = case.undone or case.verified if case.settled else None
        case.playbook = name
        case.playbook_run = self._write_run(
            number,
            steps,
            RUN_STATUS[case.status],
            service=case.action.service,
            requested_by=case.actor or "action_executor",
            approval=case.approval,
            created=case.created,
            started=case.started,
            ended=ended,
        )

    def tell_insight(self, case: Case) -> None:
        """The phases of the agent run behind a contract for an error; a share of them is told."""
        if case.error is None or self._rng.random() >= self._insight_share:
            return
        rng, action = self._rng, case.action
        risk = share(rng, 0.05, 0.4) + (0.4 if case.tier == "tier_3" else 0.0)
        sure = share(rng, 0.6, 0.98)
        ahead = max(case.created - 3 * SECOND, self._world.clock.first)
        early: list[tuple[int, str, dict[str, object]]] = [
            (ahead, "sensing", {
                "signal_type": case.error_type,
                "signal_summary": f"{action.service} reported {case.error_type}",
            }),
            (ahead, "diagnosis", {
                "diagnosis": f"{action.service} is degraded",
                "root_cause": "unknown" if sure < 0.7 else f"{case.error_type} upstream",
                "confidence": sure,
            }),
            (case.created, "planning", {
                "plan_type": action.kind.split("_", maxsplit=1)[0],
                "plan_summary": f"{action.kind} on {action.service}",
                "options_considered": f"{action.kind}\nwait",
                "chosen_option": action.kind,
                "confidence": sure,
                "rationale": "Same pattern as before",
            }),
            (case.created, "guardrail_check", {
                "guardrails_checked": "tier\nbudget\nblast radius",
                "guardrails_passed": 1,
                "risk_score": round(risk, 4),
                "approval_required": int(case.tier == "tier_3"),
            }),
        ]  # fmt: skip
        if case.executed is not None:
            done = self._world.clock.text(case.executed)
            early.append((case.executed, "execution", {"executed_at": done, "outcome": "executed"}))
        if case.verified is not None and case.executed is not None:
            good = case.status == "verified"
            early.append((case.verified, "verification", {"verified": int(good)}))
            early.append((case.verified, "completion", {
                "outcome": "success" if good else "failed",
                "outcome_detail": case.fault or "All criteria met",
                "verified": int(good),
            }))  # fmt: skip
        run = self._insight_ids()
        for at, phase, facts in early:
            self._write_phase(run, phase, at, facts)

    def write_side_stories(self) -> None:
        """Aborted runs, healing actions and security alerts: they need no contract."""
        self._write_aborted_runs()
        self._write_healing()
        self._write_security()

    def _write_phase(self, run: str, phase: str, at: int, facts: dict[str, object]) -> None:
        book = self._world.book
        head = {
            "id": book.next_id("agentic_insights"),
            "run_id": run,
            "phase": phase,
            "timestamp": self._world.clock.text(at),
            "approval_required": 0,
        }
        book.add("agentic_insights", {**NO_PHASE, **head, **facts})

    def _write_run(
        self,
        number: int,
        steps: tuple[str, ...],
        status: str,
        *,
        service: str,
        requested_by: str,
        approval: int | None,
        created: int,
        started: int | None,
        ended: int | None,
    ) -> int:
        book, rng, text = self._world.book, self._rng, self._world.clock.text
        run = book.next_id("playbook_runs")
        book.add(
            "playbook_runs",
            {
                "id": run,
                "playbook_id": number,
                "service": service,
                "status": status,
                "requested_by": requested_by,
                "approval_request_id": approval,
                "parameters": f'{{"service": "{service}", "timeout_s": {spread(rng, 30, 600)}}}',
                "diagnosis": f'{{"cause": "{ERRORS[run % len(ERRORS)][0]}",'
                f' "confidence": {share(rng, 0.5, 0.99)}}}',
                "created_at": text(created),
                "started_at": None if started is None else text(started),
                "ended_at": None if ended is None else text(ended),
            },
        )
        reached = len(steps) if status == "succeeded" else 1 + int(rng.random() * (len(steps) - 1))
        for order, step in enumerate(steps, 1):
            if started is None:
                self._write_step((run, number, order), "pending", None, created, None)
                continue
            if order > reached:
                break
            until = ended if ended is not None else self._world.clock.last
            begins = started + (until - started) * (order - 1) // (reached + 1)
            ends = started + (until - started) * order // (reached + 1)
            outcome = "succeeded" if order < reached else LAST_STEP[status]
            if outcome == "succeeded" and order > 1 and (run == 1 or rng.random() < 0.04):
                outcome = "skipped"
            running = outcome == "running"
            words, until_now = f"{step}: {outcome}", None if running else ends
            self._write_step((run, number, order), outcome, words, begins, until_now)
        return run

    def _write_step(
        self,
        step: tuple[int, int, int],
        status: str,
        log: str | None,
        begins: int,
        ends: int | None,
    ) -> None:
        """One attempt; the step is its run, the playbook's number and its place in there."""
        run, playbook, order = step
        book, text = self._world.book, self._world.clock.text
        book.add(
            "playbook_step_runs",
            {
                "id": book.next_id("playbook_step_runs"),
                "run_id": run,
                "step_id": playbook * 10 + order,
                "step_order": order,
                "status": status,
                "log": log,
                "created_at": text(begins),
                "ended_at": None if ends is None else text(ends),
            },
        )

    def _write_aborted_runs(self) -> None:
        world, rng = self._world, self._rng
        for moment in world.moments(world.some(2, 0.15), rng):
            self.abort_run(moment)

    def abort_run(self, moment: int) -> None:
        """Write a run that a person asked for and broke off."""
        world, rng = self._world, self._rng
        _, number, steps = PLAYBOOKS[int(rng.random() * len(PLAYBOOKS))]
        started = world.within(moment + spread(rng, 1, 30) * SECOND)
        self._write_run(
            number,
            steps,
            "aborted",
            service=rng.choice(SERVICES),
            requested_by=f"user:{rng.choice(USERS)}",
            approval=None,
            created=moment,
            started=started,
            ended=world.within(started + spread(rng, 5, 600) * SECOND),
        )

    def _write_healing(self) -> None:
        world, rng = self._world, self._rng
        results = Deck(rng, HEALED)
        for moment in world.moments(world.some(6, 0) + world.contracts // 150, rng):
            self.heal(moment, results.deal())

    def heal(self, moment: int, result: str) -> None:
        """Write a remedy that was tried outside a playbook."""
        world, rng = self._world, self._rng
        incident = world.rhythm.slot_at(moment).incident
        before = spread(rng, 120, 4_000)
        after = before // 3 if result == "success" else before
        detail = f"latency {before} ms before, {after} ms after"
        component = incident.component if incident else rng.choice(SERVICES + COMPONENTS)
        world.book.add(
            "healing_actions",
            {
                "id": world.book.next_id("healing_actions"),
                "component": component,
                "action": rng.choice(HEALING),
                "result": result,
                "detail": detail if result != "failed" else "lock timeout",
                "created_at": world.clock.text(moment),
            },
        )

    def _write_security(self) -> None:
        world, rng = self._world, self._rng
        severities = Deck(rng, SEVERITIES)
        moments = world.moments(world.some(8, 0) + world.contracts // 200, rng)
        for number, moment in enumerate(moments, 1):
            self.alert(moment, severities.deal(), still_open=number == len(moments))

    def alert(self, moment: int, severity: str, *, still_open: bool = False) -> None:
        """Write an alert of the hunter, and when it was resolved."""
        world, rng, clock = self._world, self._rng, self._world.clock
        number = world.book.next_id("security_events")
        resolved = moment + spread(rng, 60, 200_000) * SECOND
        still_open = still_open or resolved > clock.last
        actor = rng.choice(
            ("hunter", f"user:{rng.choice(USERS)}", f"agent:shard_{number % SHARDS}")
        )
        action, target = rng.choice(ALERTS), rng.choice(SERVICES)
        world.book.add(
            "security_events",
            {
                "id": number,
                "actor": actor,
                "action": action,
                "resource": target,
                "severity": severity,
                "details": f"Rule {100 + number % 40} matched on {target}",
                "status": "open" if still_open else "resolved",
                "created_at": clock.text(moment),
                "resolved_at": None if still_open else clock.text(resolved),
                "resolution_note": None if still_open else "Source blocked",
            },
        )
        world.log.record(
            moment,
            "hunter",
            f"security.{action}",
            target,
            subsystem="security",
            payload=f'{{"severity": "{severity}", "alert": {number}}}',
            result="detected",
        )
