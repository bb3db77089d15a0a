"""Contracts on paper: their row, and their events in the immutable log."""

from __future__ import annotations

from random import Random

from grace_dbt.simulation.case import Case
from grace_dbt.simulation.world import World


class Filing:
    """Writes down what became of a contract."""

    def __init__(self, world: World) -> None:
        """Take a page of the book."""
        self._world = world
        self._rng: Random = world.stream("filing")
        self._rows = world.book.page(
            "action_contracts",
            "id action_type playbook_id run_id expected_effect_hash expected_effect baseline_state"
            " status actual_effect verification_result confidence_score created_at executed_at"
            " verified_at safe_hold_snapshot_id triggered_by tier requires_approval",
        )

    def write_row(self, case: Case) -> None:
        """The row as it stands at the end of the span."""
        random, text, action = self._rng.random, self._world.clock.text, case.action
        actual = result = None
        if case.verified is not None:
            met = action.criteria
            if case.status != "verified" and not case.late_rollback:
                met = int(action.criteria * (case.confidence or 0))
            good = case.status == "verified"
            actual = action.good if good else action.bad
            error = "" if case.fault is None else f', "error": "{case.fault}"'
            result = (
                f'{{"passed": {"true" if good else "false"}, "criteria_met": {met},'
                f' "criteria_total": {action.criteria}{error},'
                f' "rollback_advised": {"true" if case.undone is not None else "false"}}}'
            )
            if case.executed is None:
                actual = None
        self._rows.append(
            (
                case.id,
                action.kind,
                case.playbook,
                case.playbook_run,
                action.digest,
                action.terms,
                f'{{"health": "{"degraded" if case.error else "healthy"}",'
                f' "latency_ms": {20 + int(random() * 400)}}}',
                case.status,
                actual,
                result,
                case.confidence,
                text(case.created),
                None if case.executed is None else text(case.executed),
                None if case.verified is None else text(case.verified),
                case.snapshot,
                case.actor,
                case.tier,
                int(case.tier == "tier_3"),
            )
        )

    def log(self, case: Case) -> None:
        """About one event a contract: endings always when bad, a share of the rest."""
        record, random = self._world.log.record, self._rng.random
        if random() < 0.12:
            record(
                case.created,
                "action_executor",
                "contract.created",
                case.id,
                subsystem="verification",
                payload=f'{{"action_type": "{case.action.kind}", "tier": "{case.tier}"}}',
                result="logged",
            )
        if case.verified is None:
            return
        if case.status == "verified" or case.late_rollback:
            if case.late_rollback or random() < 0.42:
                record(
                    case.verified,
                    "action_executor",
                    "contract.verified",
                    case.id,
                    subsystem="verification",
                    payload=f'{{"confidence": {case.confidence}}}',
                    result="verified",
                )
        elif case.status != "rolled_back":
            record(
                case.verified,
                "action_executor",
                f"contract.{case.status}",
                case.id,
                subsystem="verification",
                payload=f'{{"reason": "{case.fault}"}}',
                result=case.status,
            )
        if case.undone is not None:
            record(
                case.undone,
                "action_executor",
                "contract.rolled_back",
                case.id,
                subsystem="verification",
                payload=f'{{"snapshot": "{case.snapshot or "none"}", "reason": "{case.fault}"}}',
                result="rolled_back",
            )
        if case.error and random() < 0.6:
            resolved = case.status == "verified"
            ending = "resolved" if resolved else "escalated"
            record(
                case.verified,
                "input_sentinel",
                f"error.{ending}",
                case.error,
                subsystem="error_handling",
                payload=f'{{"severity": "{case.severity}",'
                f' "auto_resolved": {"true" if resolved else "false"},'
                f' "playbook": "{case.playbook or case.action.kind}"}}',
                result=ending,
            )
