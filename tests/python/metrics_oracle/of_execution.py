"""Metrics of playbooks, and of remedies outside them."""

from __future__ import annotations

from metrics_oracle.meanings import Meaning, Over

runs = Over("fact_playbook_runs")
remedies = Over("fact_healing_actions")

_ENDS = ("succeeded", "failed", "rolled_back", "aborted")
SUCCEEDED = (lambda row: row["run_status"] == "succeeded"), "f.run_status = 'succeeded'"
ENDED = (
    (lambda row: row["run_status"] in _ENDS),
    "f.run_status in ('succeeded', 'failed', 'rolled_back', 'aborted')",
)
HELPED = (
    (lambda row: str(row["result"]).lower() in ("success", "succeeded")),
    "lower(f.result) in ('success', 'succeeded')",
)

METRICS: dict[str, Meaning] = {
    "playbook_runs": runs.rows(),
    "successful_playbook_runs": runs.those(*SUCCEEDED),
    "ended_playbook_runs": runs.those(*ENDED),
    "playbook_success_rate": runs.share(*SUCCEEDED),
    "settled_playbook_success_rate": runs.share(*SUCCEEDED, *ENDED),
    "average_playbook_duration": runs.mean("run_seconds"),
    "playbook_duration_p95": runs.percentile("run_seconds", 0.95),
    "healing_actions": remedies.rows(),
    "successful_healing_actions": remedies.those(*HELPED),
    "healing_effectiveness": remedies.share(*HELPED),
}
