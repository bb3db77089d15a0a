"""Metrics of errors, and of how they were resolved."""

from __future__ import annotations

from metrics_oracle.meanings import Meaning, Over, per
from metrics_oracle.of_verification import actions

errors = Over("fact_error_events")

RESOLVED = (lambda row: row["was_resolved"]), "f.was_resolved"
ALONE = (
    (lambda row: row["was_resolved"] and not row["required_human_intervention"]),
    "f.was_resolved and not f.required_human_intervention",
)
WITH_HELP = (lambda row: row["required_human_intervention"]), "f.required_human_intervention"

METRICS: dict[str, Meaning] = {
    "error_count": errors.rows(),
    "resolved_errors": errors.those(*RESOLVED),
    "auto_resolved_errors": errors.those(*ALONE),
    "errors_with_human_intervention": errors.those(*WITH_HELP),
    "auto_resolution_rate": errors.share(*ALONE),
    "settled_auto_resolution_rate": errors.share(*ALONE, *RESOLVED),
    "human_intervention_rate": errors.share(*WITH_HELP),
    "average_time_to_resolve": errors.mean("resolution_time_seconds"),
    "time_to_resolve_p50": errors.percentile("resolution_time_seconds", 0.5),
    "time_to_resolve_p95": errors.percentile("resolution_time_seconds", 0.95),
    "errors_7d": errors.rows().over("7 days"),
    "errors_per_execution": per(errors, actions),
}
