"""The operational rows, read straight from SQLite: which tables and columns there are, and what each value means."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cube_oracle import reading

Row = dict[str, Any]
Landed = dict[str, list[dict[str, str | None]]]
ROOT = Path(__file__).parents[3]

# Every landed table, with its component and the clock that says when a row came to be.
CLOCKS = {
    "audit_logs": ("core", "timestamp"),
    "chain_verification": ("core", "verified_at"),
    "governance_decisions": ("core", "created_at"),
    "agentic_insights": ("error", "timestamp"),
    "immutable_log": ("error", "timestamp"),
    "security_events": ("error", "created_at"),
    "healing_actions": ("execution", "created_at"),
    "playbook_runs": ("execution", "created_at"),
    "playbook_step_runs": ("execution", "created_at"),
    "approval_requests": ("governance", "created_at"),
    "constitutional_compliance": ("governance", "created_at"),
    "governance_votes": ("governance", "created_at"),
    "bronze_raw_events": ("ingress", "ingestion_ts"),
    "processing_metrics": ("ingress", "timestamp"),
    "silver_records": ("ingress", "created_at"),
    "intel_policy_violations": ("intelligence", "created_at"),
    "intel_requests": ("intelligence", "created_at"),
    "intel_results": ("intelligence", "created_at"),
    "intel_specialist_reports": ("intelligence", "created_at"),
    "dataset_versions": ("learning", "created_at"),
    "quality_reports": ("learning", "created_at"),
    "fusion_memory": ("memory", "updated_at"),
    "memory_access_patterns": ("memory", "access_timestamp"),
    "memory_operations": ("memory", "timestamp"),
    "orchestration_loops": ("orchestration", "updated_at"),
    "orchestration_tasks": ("orchestration", "created_at"),
    "active_degradations": ("resilience", "started_at"),
    "circuit_breakers": ("resilience", "updated_at"),
    "sli_measurements": ("resilience", "measured_at"),
    "execution_tasks": ("shard", "created_at"),
    "shard_heartbeats": ("shard", "recorded_at"),
    "action_contracts": ("verification", "created_at"),
    "benchmark_runs": ("verification", "created_at"),
    "mission_timelines": ("verification", "started_at"),
    "safe_hold_snapshots": ("verification", "created_at"),
}
# The one table that no existing deployment has.
_PLANNED = """
    id:integer:primary shard_id:text:yes agent_id:text: host:text: sequence:integer:yes status:text:yes
    current_task_id:text: queue_depth:integer:yes active_tasks:integer:yes completed_tasks:integer:yes
    failed_tasks:integer:yes cpu_percent:real: memory_mb:real: latency_ms:real: version:text: metadata:json:
    recorded_at:timestamp:yes
"""
# Text columns that hold times.
_TIMES = {
    ("audit_logs", "timestamp"), ("chain_verification", "verified_at"),
    ("orchestration_loops", "created_at"), ("orchestration_loops", "updated_at"),
    ("orchestration_tasks", "created_at"), ("orchestration_tasks", "started_at"),
    ("orchestration_tasks", "completed_at"),
}  # fmt: skip
# Content that stays where it is: a change of it is no change.
_UNLANDED = {
    "fusion_memory": ("content", "metadata"),
    "memory_access_patterns": ("user_context", "query_context"),
    "intel_requests": ("context_json", "input_data_json", "user_ctx_json"),
    "intel_results": ("explanations_json", "shadow_result_json", "error_message"),
    "intel_specialist_reports": ("explanations_json", "error_message"),
    "orchestration_tasks": ("inputs", "outputs", "error"),
}
# Columns that hold ids: a number there is a name, not a quantity.
_IDS = {
    ("action_contracts", "run_id"), ("safe_hold_snapshots", "playbook_run_id"), ("playbook_runs", "playbook_id"),
    ("playbook_runs", "approval_request_id"), ("playbook_step_runs", "run_id"), ("playbook_step_runs", "step_id"),
    ("governance_votes", "session_id"), ("governance_votes", "member_id"),
}  # fmt: skip
_PEOPLE = {
    ("agentic_insights", "approved_by"),
    ("approval_requests", "decision_by"),
    ("execution_tasks", "user"),
}
_AS_LANDED = {("benchmark_runs", "run_id")}
_LEVELS = ("low", "medium", "high", "critical")
UNIQUE: dict[str, list[tuple[str, ...]]] = {
    "benchmark_runs": [("run_id",)],
    "mission_timelines": [("mission_id",)],
    "immutable_log": [("sequence",), ("entry_hash",)],
    "execution_tasks": [("task_id",)],
    "governance_decisions": [("decision_id",)],
    "bronze_raw_events": [("event_id",)],
    "dataset_versions": [("dataset_id", "version")],
    "silver_records": [("record_id",)],
}
ACCEPTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("action_contracts", "status"): (
        "pending", "executing", "verified", "partial_success", "failed", "rolled_back",
    ),
    ("action_contracts", "tier"): ("tier_1", "tier_2", "tier_3"),
    ("safe_hold_snapshots", "snapshot_type"): ("pre_action", "golden", "manual"),
    ("safe_hold_snapshots", "status"): ("active", "restored", "invalidated"),
    ("mission_timelines", "status"): ("in_progress", "completed", "failed", "paused"),
    ("security_events", "severity"): _LEVELS,
    ("security_events", "status"): ("open", "resolved"),
    ("agentic_insights", "phase"): (
        "sensing", "diagnosis", "planning", "guardrail_check", "approval", "execution", "verification", "completion",
    ),
    ("approval_requests", "status"): ("pending", "approved", "rejected"),
    ("governance_votes", "vote"): ("approve", "reject", "abstain"),
    ("governance_votes", "verification_status"): ("pending", "verified", "failed"),
    ("playbook_runs", "status"): (
        "pending", "running", "succeeded", "failed", "rolled_back", "aborted",
    ),
    ("playbook_step_runs", "status"): (
        "pending", "running", "succeeded", "failed", "skipped", "rolled_back", "aborted",
    ),
    ("execution_tasks", "status"): ("queued", "running", "completed", "failed", "cancelled"),
    ("shard_heartbeats", "status"): ("healthy", "degraded", "draining", "stopped"),
    ("governance_decisions", "risk_level"): _LEVELS,
    ("intel_policy_violations", "violation_type"): (
        "confidence", "calibration", "fairness", "confidence_threshold", "calibration_threshold", "fairness_delta",
    ),
    ("intel_policy_violations", "severity"): ("warning", "error", *_LEVELS),
    ("intel_requests", "env"): ("dev", "staging", "prod"),
    ("intel_requests", "status"): ("received", "processing", "completed", "failed", "rejected"),
    ("orchestration_tasks", "status"): (
        "pending", "running", "completed", "failed", "cancelled", "timeout", "rolled_back",
    ),
    ("sli_measurements", "measurement_type"): ("latency", "availability", "error_rate"),
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A declared column; `kind` is its logical type."""

    name: str
    kind: str
    is_key: bool
    is_required: bool


def _declared() -> dict[str, list[Column]]:
    tables: dict[str, list[Column]] = {table: [] for table in CLOCKS}
    for column in reference("operational_columns.csv", "tests/fixtures/reference"):
        if column["table"] in tables and column["column"] not in _UNLANDED.get(column["table"], ()):
            tables[column["table"]].append(
                Column(column["column"], column["type"], column["key"] == "primary", column["not_null"] == "yes")
            )  # fmt: skip
    for planned in _PLANNED.split():
        name, kind, mark = planned.split(":")
        tables["shard_heartbeats"].append(Column(name, kind, mark == "primary", bool(mark)))
    return tables


def reference(name: str, folder: str = "seeds/reference") -> list[dict[str, str]]:
    """The rows of a CSV file of the repository."""
    with (ROOT / folder / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


COLUMNS = _declared()
KEYS = {
    table: next(column.name for column in columns if column.is_key)
    for table, columns in COLUMNS.items()
}


def land(database: Path) -> Landed:
    """Every row of the landed tables as text; a missing column is NULL, a missing table is left out."""
    landed: Landed = {}
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = bytes
        for table, columns in COLUMNS.items():
            present = {
                name.decode() for _, name, *_ in connection.execute(f"pragma table_info({table})")
            }
            if not present:
                continue
            cells = [f'"{c.name}"' if c.name in present else "null" for c in columns]
            landed[table] = [
                {c.name: reading.stored(value) for c, value in zip(columns, row, strict=True)}
                for row in connection.execute(f"select {', '.join(cells)} from {table}")
            ]
    return landed


def stage(landed: Landed, clock: datetime) -> dict[str, list[Row]]:
    """Every row with its values read, under the names of the source."""
    return {
        table: [
            {c.name: _read(table, c, row[c.name], clock) for c in COLUMNS[table]}
            for row in landed.get(table, [])
            if row[KEYS[table]] is not None
        ]
        for table in CLOCKS
    }


def _read(table: str, column: Column, text: str | None, clock: datetime) -> Any:
    place = (table, column.name)
    if column.is_key or place in _AS_LANDED:
        return text
    if place in _PEOPLE:
        return reading.person(text)
    if column.kind == "timestamp" or place in _TIMES:
        moment = reading.instant(text)
        return moment if moment and reading.is_accepted(moment, clock) else None
    if column.kind == "json":
        return text
    if column.kind == "text" or place in _IDS:
        return reading.word(text)
    return {"integer": reading.integer, "real": reading.number, "boolean": reading.truth}[
        column.kind
    ](text)


Finding = tuple[str, str | None, str, str]


def findings(landed: Landed, clock: datetime) -> Iterator[tuple[Finding, str | None]]:
    """What belongs into quarantine: table, key, column, reason; and the stored text."""
    for table, rows in landed.items():
        for row in rows:
            for column in COLUMNS[table]:
                text = row[column.name]
                for reason in _reasons(table, column, text, clock):
                    yield (table, row[KEYS[table]], column.name, reason), text
        for columns in UNIQUE.get(table, []):
            yield from _repeated(table, rows, columns)


def _repeated(
    table: str, rows: list[dict[str, str | None]], columns: tuple[str, ...]
) -> Iterator[tuple[Finding, str | None]]:
    """Values that a row with a higher primary key has too; blank is no value."""
    newest: dict[tuple[str, ...], str] = {}
    for row in sorted(
        rows, key=lambda row: reading.as_number(row[KEYS[table]] or ""), reverse=True
    ):
        values = tuple(found for column in columns if (found := reading.word(row[column])))
        if (
            len(values) == len(columns)
            and newest.setdefault(values, row[KEYS[table]] or "") != row[KEYS[table]]
        ):
            yield (
                (table, row[KEYS[table]], ", ".join(columns), "duplicate_value"),
                ", ".join(values),
            )


def _reasons(table: str, column: Column, text: str | None, clock: datetime) -> Iterator[str]:
    place = (table, column.name)
    if text is None:
        if column.is_key or column.is_required:
            yield "missing_key" if column.is_key else "missing"
        return
    if column.kind == "timestamp" or place in _TIMES:
        moment = reading.instant(text)
        if moment is None:
            yield "unreadable"
        elif not reading.is_accepted(moment, clock):
            yield "outside_time_span"
    elif column.kind == "json":
        if not reading.document(text)[0]:
            yield "unreadable"
    elif column.kind != "text":
        read = {"integer": reading.integer, "real": reading.number, "boolean": reading.truth}[
            column.kind
        ]
        if read(text) is None:
            yield "unreadable"
    if place in ACCEPTED and text.strip(" ") not in ACCEPTED[place]:
        yield "unknown_value"
