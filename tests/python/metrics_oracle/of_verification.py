"""Metrics of actions under contract, missions and benchmarks."""

from __future__ import annotations

from cube_oracle.source import Row

from metrics_oracle.meanings import Meaning, Over, Test

actions = Over("fact_verification_executions")
missions = Over("fact_mission_progress", "started_at")
benchmarks = Over("fact_benchmark_runs")


def _among(column: str, *values: str) -> tuple[Test, str]:
    listed = ", ".join(f"'{value}'" for value in values)
    return lambda row: row[column] in values, f"f.{column} in ({listed})"


VERIFIED = _among("contract_status", "verified")
ROLLED_BACK = _among("contract_status", "rolled_back")
SETTLED = _among("contract_status", "verified", "failed", "rolled_back", "partial_success")
COMPLETED = _among("final_status", "completed")
ENDED = _among("final_status", "completed", "failed")


def _has_snapshot(row: Row) -> bool:
    return row["snapshot_id"] is not None


def _needs_snapshot(row: Row) -> bool:
    return row["@"]["requires_snapshot"] is True


WITH_SNAPSHOT = _has_snapshot, "f.snapshot_id is not null"
PASSED = (lambda row: row["has_passed"] is True), "f.has_passed"
DRIFTED = (lambda row: row["drift_detected"] is True), "f.drift_detected"

METRICS: dict[str, Meaning] = {
    "executions": actions.rows(),
    "successful_executions": actions.those(*VERIFIED),
    "rolled_back_executions": actions.those(*ROLLED_BACK),
    "failed_executions": actions.those(*_among("contract_status", "failed")),
    "settled_executions": actions.those(*SETTLED),
    "verification_success_rate": actions.share(*VERIFIED),
    "settled_verification_success_rate": actions.share(*VERIFIED, *SETTLED),
    "rollback_rate": actions.share(*ROLLED_BACK),
    "settled_rollback_rate": actions.share(*ROLLED_BACK, *SETTLED),
    "average_confidence": actions.mean("confidence_score"),
    "average_duration": actions.mean("duration_seconds"),
    "duration_p50": actions.percentile("duration_seconds", 0.5),
    "duration_p95": actions.percentile("duration_seconds", 0.95),
    "longest_duration": actions.largest("duration_seconds"),
    "executions_with_snapshot": actions.those(*WITH_SNAPSHOT),
    "snapshot_coverage": actions.share(*WITH_SNAPSHOT),
    "required_snapshot_coverage": actions.share(*WITH_SNAPSHOT).where(
        _needs_snapshot,
        "f.tier_key in (select tier_key from dim_tier where requires_snapshot)",
    ),
    "executions_7d": actions.rows().over("7 days"),
    "successful_executions_7d": actions.those(*VERIFIED).over("7 days"),
    "verification_success_rate_7d": actions.share(*VERIFIED).over("7 days"),
    "executions_to_date": actions.rows().over("all"),
    "executions_month_to_date": actions.rows().over("month"),
    "missions": missions.rows(),
    "completed_missions": missions.those(*COMPLETED),
    "ended_missions": missions.those(*ENDED),
    "mission_completion_rate": missions.share(*COMPLETED),
    "settled_mission_completion_rate": missions.share(*COMPLETED, *ENDED),
    "mission_progress": missions.mean("progress_ratio"),
    "average_mission_duration": missions.mean("duration_seconds"),
    "benchmarks": benchmarks.rows(),
    "passed_benchmarks": benchmarks.those(*PASSED),
    "drifted_benchmarks": benchmarks.those(*DRIFTED),
    "benchmark_pass_rate": benchmarks.share(*PASSED),
    "drift_rate": benchmarks.share(*DRIFTED),
    "average_drift": benchmarks.mean("drift_score"),
    "largest_drift": benchmarks.largest("drift_score"),
}
