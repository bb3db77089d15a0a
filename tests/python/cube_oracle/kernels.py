"""The marts of the kernels: what each row of their tables says of the kernel's key metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cube_oracle.reading import count, member, minute_key, number, seconds, surrogate
from cube_oracle.source import KEYS, Row

Staged = dict[str, list[Row]]
# The columns of each mart between the natural id and the time: what a reading does not tell is NULL.
COLUMNS = {
    "kernel_ingress": "source_id stage contract throughput_rps error_rate latency_ms trust_score",
    "kernel_intelligence": "request_id task segment environment specialist_name model_key violation_type latency_ms"
    " response_seconds specialist_latency_ms confidence calibration fairness_delta was_successful",
    "kernel_learning": "dataset_id dataset_version label_agreement drift_psi coverage_ratio",
    "kernel_memory": "access_type content_type compression_type response_time_ms size_bytes is_cache_hit",
    "kernel_orchestration": "loop_id loop_name stage task_status loop_executions loop_execution_seconds"
    " total_loop_seconds task_execution_seconds has_failed",
    "kernel_resilience": "component_name breaker_state policy_id degradation_level sli_name measurement_type"
    " measured_value target_value is_trip is_activation is_violation",
}
KERNELS = frozenset(COLUMNS)
_ENDED = {
    "completed": False,
    "cancelled": False,
    "failed": True,
    "timeout": True,
    "rolled_back": True,
}


def kernels(staged: Staged) -> dict[str, list[Row]]:
    """Every mart, by name."""
    return {
        "kernel_ingress": ingress(staged),
        "kernel_intelligence": intelligence(staged),
        "kernel_learning": learning(staged),
        "kernel_memory": memory(staged),
        "kernel_orchestration": orchestration(staged),
        "kernel_resilience": resilience(staged),
    }


def _reading(mart: str, table: str, row: Row, at: datetime | None, **told: Any) -> Row:
    names = COLUMNS[mart].split()
    assert told.keys() <= set(names)
    key = row[KEYS[table]]
    return {
        "reading_key": surrogate(table, key),
        "time_key": minute_key(at),
        "reading_type": table,
        "reading_id": key,
        **{name: told.get(name) for name in names},
        "created_at": at,
    }


def _same(row: Row, names: str) -> Row:
    return {name: row[name] for name in names.split()}


def ingress(staged: Staged) -> list[Row]:
    """A sample of the pipeline, or a record, each."""
    mart = "kernel_ingress"
    samples = [
        _reading(
            mart, "processing_metrics", row, row["timestamp"],
            **_same(row, "source_id stage throughput_rps error_rate"), latency_ms=row["avg_latency_ms"],
        )
        for row in staged["processing_metrics"]
    ]  # fmt: skip
    return samples + [
        _reading(
            *(mart, "silver_records", row, row["created_at"]),
            **_same(row, "source_id contract trust_score"),
        )
        for row in staged["silver_records"]
    ]


def _figure(document: str | None, key: str) -> float | None:
    """A number under a key of a JSON object."""
    return number(member(document, key))


def intelligence(staged: Staged) -> list[Row]:
    """An answer, a report or a violation each."""
    mart = "kernel_intelligence"
    requests = {row["req_id"]: row for row in staged["intel_requests"]}
    gaps = {
        row["req_id"]: _figure(row["metrics_json"], "fairness_delta")
        for row in staged["intel_results"]
    }
    found = []
    for row in staged["intel_results"]:
        calibration = _figure(row["uncertainties_json"], "calibration")
        if calibration is None:
            calibration = _figure(row["metrics_json"], "calibration")
        waited = seconds(requests.get(row["req_id"], {}).get("created_at"), row["created_at"])
        found.append(("intel_results", row, {
            "latency_ms": _figure(row["timing_json"], "total_ms"),
            "response_seconds": waited,
            "confidence": _figure(row["outputs_json"], "confidence"),
            "calibration": calibration,
            "fairness_delta": gaps[row["req_id"]],
            "was_successful": row["success"],
        }))  # fmt: skip
    for row in staged["intel_specialist_reports"]:
        told = _same(row, "specialist_name model_key")
        told |= {
            "specialist_latency_ms": count(row["execution_time_ms"]),
            "was_successful": row["success"],
        }
        found.append(("intel_specialist_reports", row, told))
    for row in staged["intel_policy_violations"]:
        is_gap = row["violation_type"] in ("fairness", "fairness_delta")
        is_told = gaps.get(row["req_id"]) is not None
        gap = row["actual_value"] if is_gap and not is_told else None
        told = {"violation_type": row["violation_type"], "fairness_delta": gap}
        found.append(("intel_policy_violations", row, told))
    return [
        _reading(
            mart, table, row, row["created_at"], **told, request_id=row["req_id"],
            **{
                name: requests.get(row["req_id"], {}).get(column)
                for name, column in (("task", "task"), ("segment", "segment"), ("environment", "env"))
            },
        )
        for table, row, told in found
    ]  # fmt: skip


def learning(staged: Staged) -> list[Row]:
    """A check of a data set each."""
    return [
        _reading(
            "kernel_learning", "quality_reports", row, row["created_at"], dataset_version=row["version"],
            **_same(row, "dataset_id label_agreement drift_psi coverage_ratio"),
        )
        for row in staged["quality_reports"]
    ]  # fmt: skip


def memory(staged: Staged) -> list[Row]:
    """An access, or an entry of the durable tier, each."""
    accesses = [
        _reading(
            "kernel_memory", "memory_access_patterns", row, row["access_timestamp"],
            **_same(row, "access_type response_time_ms"), is_cache_hit=row["cache_hit"],
        )
        for row in staged["memory_access_patterns"]
    ]  # fmt: skip
    return accesses + [
        _reading(
            "kernel_memory", "fusion_memory", row, row["updated_at"], size_bytes=count(row["size_bytes"]),
            **_same(row, "content_type compression_type"),
        )
        for row in staged["fusion_memory"]
    ]  # fmt: skip


def orchestration(staged: Staged) -> list[Row]:
    """A loop, or a task, each."""
    mart, names = "kernel_orchestration", {}
    readings = []
    for row in staged["orchestration_loops"]:
        names[row["loop_id"]] = row["name"]
        runs, mean = count(row["run_count"]), row["average_duration"]
        if not (runs and mean and runs > 0 and mean > 0):
            runs = mean = None
        readings.append(_reading(
            mart, "orchestration_loops", row, row["updated_at"], loop_id=row["loop_id"], loop_name=row["name"],
            loop_executions=runs, loop_execution_seconds=mean,
            total_loop_seconds=None if runs is None or mean is None else runs * mean,
        ))  # fmt: skip
    for row in staged["orchestration_tasks"]:
        readings.append(_reading(
            mart, "orchestration_tasks", row, row["created_at"], **_same(row, "loop_id stage"),
            loop_name=names.get(row["loop_id"]), task_status=row["status"],
            task_execution_seconds=seconds(row["started_at"], row["completed_at"]),
            has_failed=_ENDED.get(row["status"]),
        ))  # fmt: skip
    return readings


def resilience(staged: Staged) -> list[Row]:
    """A breaker, a degradation or a measurement each."""
    mart = "kernel_resilience"
    tripped = {"closed": False, "open": True, "half_open": True}
    readings = [
        _reading(
            mart, "circuit_breakers", row, row["updated_at"], component_name=row["component_name"],
            breaker_state=row["state"], is_trip=tripped.get(row["state"]),
        )
        for row in staged["circuit_breakers"]
    ]  # fmt: skip
    readings += [
        _reading(
            mart, "active_degradations", row, row["started_at"], is_activation=True,
            **_same(row, "component_name policy_id degradation_level"),
        )
        for row in staged["active_degradations"]
    ]  # fmt: skip
    return readings + [
        _reading(
            mart, "sli_measurements", row, row["measured_at"],
            **_same(row, "component_name sli_name measurement_type target_value"), measured_value=row["value"],
            is_violation=_is_violation(row["measurement_type"], row["value"], row["target_value"]),
        )
        for row in staged["sli_measurements"]
    ]  # fmt: skip


def _is_violation(family: str | None, value: float | None, target: float | None) -> bool | None:
    if value is None or target is None:
        return None
    less_is_worse = {"availability": True, "latency": False, "error_rate": False}.get(family or "")
    if less_is_worse is None:
        return None
    return value < target if less_is_worse else value > target


def mean(values: Iterable[Any]) -> float | None:
    """The mean of what is told; of flags their share. None of nothing."""
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None
