"""What the rows of each fact can be cut by: columns of their own, and what their keys lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cube_oracle.cube import Expected
from cube_oracle.source import Row

_TIER = {
    "tier": "tier_code", "tier_name": "tier_name", "risk_level": "risk_level", "requires_snapshot": "requires_snapshot",
}  # fmt: skip
# Key of a fact: the dimension, its key, and its columns by the word that one asks by.
KEYS: dict[str, tuple[str, str, dict[str, str]]] = {
    "tier_key": ("dim_tier", "tier_key", _TIER),
    "component_key": (
        "dim_component", "component_key", {"component": "component_name", "subsystem": "subsystem"},
    ),
    "actor_key": ("dim_actor", "actor_key", {"actor": "actor_id", "actor_type": "actor_type"}),
    "requester_key": (
        "dim_actor", "actor_key", {"requester": "actor_id", "requester_type": "actor_type"},
    ),
    "mission_key": (
        "dim_mission", "mission_key",
        {"mission": "mission_id", "mission_type": "mission_type", "mission_status": "final_status"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """What one fact can be cut by: its keys, and its own columns by word."""

    keys: tuple[str, ...]
    own: Mapping[str, str]

    def slices(self) -> dict[str, tuple[str, str]]:
        """Each word: the key that leads there and the column; the key is empty for a column of its own."""
        led = {word: (key, column) for key in self.keys for word, column in KEYS[key][2].items()}
        return {**led, **{word: ("", column) for word, column in self.own.items()}}


FACTS: dict[str, Fact] = {
    "fact_verification_executions": Fact(
        ("tier_key", "component_key", "actor_key", "mission_key"),
        {"action_type": "action_type", "status": "contract_status", "playbook": "playbook_id"},
    ),
    "fact_mission_progress": Fact(("mission_key",), {}),
    "fact_benchmark_runs": Fact(
        ("tier_key", "actor_key", "mission_key"), {"benchmark_type": "benchmark_type"}
    ),
    "fact_error_events": Fact(
        ("component_key", "actor_key"),
        {"severity": "severity", "source": "source", "error_type": "error_type"},
    ),
    "fact_playbook_runs": Fact(
        ("tier_key", "component_key", "actor_key", "mission_key"),
        {"playbook": "playbook_id", "status": "run_status"},
    ),
    "fact_healing_actions": Fact(("component_key",), {"action_type": "action_type"}),
    "fact_approvals": Fact(
        ("tier_key", "actor_key", "requester_key", "mission_key"),
        {"approval_type": "approval_type", "status": "approval_status"},
    ),
    "fact_governance_votes": Fact((), {"vote": "vote", "member": "member_id"}),
    "fact_constitutional_compliance": Fact(
        ("tier_key", "actor_key", "mission_key"), {"action_type": "action_type"}
    ),
    "fact_execution_tasks": Fact(("actor_key",), {"task_type": "task_type", "status": "task_status"}),
    "kernel_ingress": Fact((), {"source": "source_id", "stage": "stage", "contract": "contract"}),
    "kernel_intelligence": Fact(
        (),
        {
            "task": "task", "segment": "segment", "environment": "environment", "specialist": "specialist_name",
            "model": "model_key", "request_id": "request_id", "violation_type": "violation_type",
            "was_successful": "was_successful",
        },
    ),
    "kernel_learning": Fact((), {"dataset": "dataset_id", "dataset_version": "dataset_version"}),
    "kernel_memory": Fact(
        (),
        {"access_type": "access_type", "content_type": "content_type", "compression_type": "compression_type"},
    ),
    "kernel_orchestration": Fact(
        (), {"loop": "loop_name", "loop_id": "loop_id", "stage": "stage", "task_status": "task_status"}
    ),
    "kernel_resilience": Fact(
        (),
        {
            "component": "component_name", "indicator": "sli_name", "degradation_level": "degradation_level",
            "breaker_state": "breaker_state", "policy_id": "policy_id", "measurement_type": "measurement_type",
        },
    ),
}  # fmt: skip


class Facts:
    """The rows of every fact, with the value of each word at hand."""

    def __init__(self, expected: Expected) -> None:
        self.days = expected.days
        members = {
            (table, key): {row[key]: row for row in expected.tables[table]}
            for table, key, _ in KEYS.values()
        }
        self.rows: dict[str, list[Row]] = {}
        for name, fact in FACTS.items():
            self.rows[name] = [
                {**row, "@": {word: self._value(row, *place, members) for word, place in fact.slices().items()}}
                for row in expected.tables[name]
            ]  # fmt: skip

    @staticmethod
    def _value(row: Row, key: str, column: str, members: Mapping[Any, dict[int, Row]]) -> Any:
        if not key:
            return row[column]
        table, key_column, _ = KEYS[key]
        return members[table, key_column][row[key]][column]
