"""Which rollup has to answer what: its grain, its slices, and the metrics that it tells exactly as the fact does."""

from __future__ import annotations

from dataclasses import dataclass

_ACTIONS = (
    "executions", "successful_executions", "rolled_back_executions", "failed_executions", "settled_executions",
    "verification_success_rate", "settled_verification_success_rate", "rollback_rate", "settled_rollback_rate",
    "average_confidence", "average_duration",
)  # fmt: skip
_LOOKING_BACK = (
    "executions_7d", "successful_executions_7d", "verification_success_rate_7d", "executions_to_date",
    "executions_month_to_date",
)  # fmt: skip


@dataclass(frozen=True)
class Rollup:
    """What one rollup answers.

    Attributes:
        grain: Its periods, and where windows have to begin and end.
        slices: By which it can be cut.
        metrics: What it tells.
        looking_back: What it tells of metrics that look beyond their period.
    """

    grain: str
    slices: tuple[str, ...]
    metrics: tuple[str, ...]
    looking_back: tuple[str, ...] = ()


ROLLUPS: dict[str, Rollup] = {
    "cube_daily_verification_by_tier": Rollup("day", ("tier", "tier_name"), _ACTIONS, _LOOKING_BACK),
    "cube_daily_verification_by_component": Rollup("day", ("component",), _ACTIONS, _LOOKING_BACK),
    "cube_daily_verification_by_action_type": Rollup("day", ("action_type",), _ACTIONS, _LOOKING_BACK),
    "cube_hourly_verification_by_tier": Rollup("hour", ("tier", "tier_name"), _ACTIONS),
    "cube_hourly_verification_by_component": Rollup("hour", ("component",), _ACTIONS),
    "cube_hourly_verification_by_action_type": Rollup("hour", ("action_type",), _ACTIONS),
    "cube_drift": Rollup(
        "day",
        ("benchmark_type",),
        (
            "benchmarks", "passed_benchmarks", "drifted_benchmarks", "benchmark_pass_rate", "drift_rate",
            "average_drift",
        ),
    ),
    "cube_error_trends": Rollup(
        "day",
        ("severity", "source"),
        (
            "error_count", "resolved_errors", "auto_resolved_errors", "errors_with_human_intervention",
            "auto_resolution_rate", "settled_auto_resolution_rate", "human_intervention_rate",
            "average_time_to_resolve",
        ),
        ("errors_7d",),
    ),
    "cube_playbook_effectiveness": Rollup(
        "day",
        ("playbook",),
        (
            "playbook_runs", "successful_playbook_runs", "ended_playbook_runs", "playbook_success_rate",
            "settled_playbook_success_rate", "average_playbook_duration",
        ),
    ),
    "cube_healing_effectiveness": Rollup(
        "day",
        ("action_type",),
        ("healing_actions", "successful_healing_actions", "healing_effectiveness"),
    ),
    "cube_approval_latency": Rollup(
        "day",
        ("tier", "tier_name", "approval_type"),
        (
            "approval_requests", "approved_requests", "decided_requests", "approval_rate", "settled_approval_rate",
            "average_decision_latency",
        ),
    ),
    "cube_queue": Rollup(
        "hour", ("task_type",), ("tasks", "failed_tasks", "average_queue_wait", "average_task_duration")
    ),
}  # fmt: skip
