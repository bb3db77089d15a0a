"""Metrics of the tasks of the concurrent executor."""

from __future__ import annotations

from metrics_oracle.meanings import Meaning, Over

tasks = Over("fact_execution_tasks")
completions = Over("fact_execution_tasks", "completed_at")

FAILED = (lambda row: row["task_status"] == "failed"), "f.task_status = 'failed'"
COMPLETED = (lambda row: row["task_status"] == "completed"), "f.task_status = 'completed'"

METRICS: dict[str, Meaning] = {
    "tasks": tasks.rows(),
    "failed_tasks": tasks.those(*FAILED),
    "throughput": completions.those(*COMPLETED),
    "average_queue_wait": tasks.mean("queue_seconds"),
    "queue_wait_p50": tasks.percentile("queue_seconds", 0.5),
    "queue_wait_p95": tasks.percentile("queue_seconds", 0.95),
    "average_task_duration": tasks.mean("run_seconds"),
}
