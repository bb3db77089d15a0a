"""The rollups, from the facts: what each adds up, and under which names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from cube_oracle.source import Row

Facts = dict[str, list[Row]]


def _groups(rows: Iterable[Row], grain: Callable[[Row], Row]) -> list[tuple[Row, list[Row]]]:
    groups: dict[tuple[Any, ...], tuple[Row, list[Row]]] = {}
    for row in rows:
        key = grain(row)
        groups.setdefault(tuple(key.values()), (key, []))[1].append(row)
    return list(groups.values())


def _count(rows: list[Row], test: Callable[[Row], Any]) -> int:
    return sum(1 for row in rows if test(row))


def _sum(rows: list[Row], column: str) -> Any:
    values = [row[column] for row in rows if row[column] is not None]
    return sum(values) if values else None


def _mean(rows: list[Row], column: str, total: str, count: str, average: str) -> Row:
    """Sum, count and average of a measure."""
    values = [row[column] for row in rows if row[column] is not None]
    return {
        total: sum(values) if values else None,
        count: len(values),
        average: sum(values) / len(values) if values else None,
    }


def _when(moment: datetime | None, *, hour: bool = False) -> Row:
    parts = ("year", "month", "day", "hour") if hour else ("year", "month", "day")
    return {part: getattr(moment, part) if moment else None for part in parts}


class Names:
    """What the stamped keys of facts are called."""

    def __init__(self, tiers: dict[int, Row], components: dict[int, Row]) -> None:
        self.tiers, self.components = tiers, components

    def tier(self, row: Row) -> Row:
        found = self.tiers[row["tier_key"]]
        return {"tier_code": found["tier_code"], "tier_name": found["tier_name"]}

    def tier_code(self, row: Row) -> Row:
        return {"tier_code": self.tiers[row["tier_key"]]["tier_code"]}

    def component(self, row: Row) -> Row:
        return {"component_name": self.components[row["component_key"]]["component_name"]}


def rollups(facts: Facts, names: Names) -> Facts:
    """Every rollup by its name."""
    executions = facts["fact_verification_executions"]
    slices: dict[str, Callable[[Row], Row]] = {
        "tier": names.tier,
        "component": names.component,
        "action_type": lambda row: {"action_type": row["action_type"]},
    }
    made = {
        f"cube_{'hourly' if hour else 'daily'}_verification_by_{name}": _verification(
            executions, told, hour
        )
        for name, told in slices.items()
        for hour in (False, True)
    }
    histogram = _latency_histogram(facts, names)
    return made | {
        "cube_verification_by_tier": _by_tier(executions, names),
        "cube_mission_metrics": _mission_metrics(facts, names),
        "cube_error_trends": _error_trends(facts["fact_error_events"]),
        "cube_approval_latency": _approval_latency(facts["fact_approvals"], names),
        "cube_playbook_effectiveness": _playbooks(facts["fact_playbook_runs"]),
        "cube_healing_effectiveness": _healing(facts["fact_healing_actions"], names),
        "cube_drift": _drift(facts["fact_benchmark_runs"]),
        "cube_queue": _queue(facts["fact_execution_tasks"]),
        "cube_latency_histogram": histogram,
        "cube_latency_percentiles": _percentiles(histogram),
    }


def _verification(executions: list[Row], told: Callable[[Row], Row], hour: bool) -> list[Row]:
    ended = ("verified", "failed", "rolled_back", "partial_success")
    return [
        {
            **key,
            "total_executions": len(rows),
            "successful_executions": _count(rows, lambda r: r["was_successful"]),
            "failed_executions": _count(rows, lambda r: r["contract_status"] == "failed"),
            "rollbacks": _count(rows, lambda r: r["was_rolled_back"]),
            "partial_executions": _count(rows, lambda r: r["contract_status"] == "partial_success"),
            "open_executions": _count(rows, lambda r: r["contract_status"] not in ended),
            **_mean(
                rows, "confidence_score", "confidence_sum", "confidence_count", "avg_confidence"
            ),
            **_mean(
                rows,
                "duration_seconds",
                "duration_seconds_sum",
                "duration_count",
                "avg_duration_seconds",
            ),
        }
        for key, rows in _groups(
            executions, lambda row: _when(row["created_at"], hour=hour) | told(row)
        )
    ]


def _by_tier(executions: list[Row], names: Names) -> list[Row]:
    return [
        {
            **key,
            "total_executions": len(rows),
            "successful_executions": (good := _count(rows, lambda r: r["was_successful"])),
            "rollbacks": _count(rows, lambda r: r["was_rolled_back"]),
            "success_rate": good / len(rows),
        }
        for key, rows in _groups(executions, names.tier)
    ]


def _mission_metrics(facts: Facts, names: Names) -> list[Row]:
    executions: dict[str, dict[tuple[str, str], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in facts["fact_verification_executions"]:
        if row["mission_id"]:
            tier = names.tier(row)
            executions[row["mission_id"]][tier["tier_code"], tier["tier_name"]].append(row)
    nothing: dict[tuple[str, str], list[Row]] = {("unknown", "Unknown"): []}
    placed = [
        {**mission, "tier_code": code, "tier_name": name, "executions": rows}
        for mission in facts["fact_mission_progress"]
        for (code, name), rows in (executions.get(mission["mission_id"]) or nothing).items()
    ]
    grain = ("mission_type", "tier_code", "tier_name", "final_status")
    found = []
    for key, missions in _groups(placed, lambda row: {name: row[name] for name in grain}):
        under = [row for mission in missions for row in mission["executions"]]
        actions = ("planned_actions", "completed_actions", "failed_actions", "rolled_back_actions")
        found.append({
            **key,
            "total_missions": len(missions),
            "successful_missions": _count(missions, lambda r: r["was_successful"]),
            **_mean(missions, "progress_ratio", "progress_sum", "progress_count", "avg_progress"),
            **{name: _sum(missions, name) for name in actions},
            "total_executions": len(under),
            **_mean(under, "confidence_score", "confidence_sum", "confidence_count", "avg_confidence"),
        })  # fmt: skip
    return found


def _error_trends(errors: list[Row]) -> list[Row]:
    return [
        {
            **key,
            "error_count": len(rows),
            "auto_resolved_count": _count(rows, lambda r: r["was_auto_resolved"]),
            "human_resolved_count": _count(
                rows, lambda r: r["was_resolved"] and r["required_human_intervention"]
            ),
            "open_count": _count(rows, lambda r: not r["was_resolved"]),
            "resolved_count": _count(rows, lambda r: r["was_resolved"]),
            "human_intervention_count": _count(rows, lambda r: r["required_human_intervention"]),
            **_mean(
                rows,
                "resolution_time_seconds",
                "resolution_seconds_sum",
                "resolution_count",
                "avg_resolution_seconds",
            ),
        }
        for key, rows in _groups(
            errors,
            lambda r: {**_when(r["created_at"]), "severity": r["severity"], "source": r["source"]},
        )
    ]


def _approval_latency(approvals: list[Row], names: Names) -> list[Row]:
    return [
        {
            **key,
            "total_requests": len(rows),
            "approved_requests": _count(rows, lambda r: r["was_approved"] is True),
            "rejected_requests": _count(rows, lambda r: r["was_approved"] is False),
            "waiting_requests": _count(rows, lambda r: r["is_waiting"]),
            **_mean(
                rows,
                "decision_time_seconds",
                "decision_seconds_sum",
                "decision_count",
                "avg_decision_seconds",
            ),
        }
        for key, rows in _groups(
            approvals,
            lambda r: {
                **_when(r["created_at"]),
                **names.tier(r),
                "approval_type": r["approval_type"],
            },
        )
    ]


def _playbooks(runs: list[Row]) -> list[Row]:
    return [
        {
            **key,
            "total_runs": len(rows),
            "successful_runs": _count(rows, lambda r: r["was_successful"]),
            "failed_runs": _count(rows, lambda r: r["run_status"] == "failed"),
            "rolled_back_runs": _count(rows, lambda r: r["was_rolled_back"]),
            "aborted_runs": _count(rows, lambda r: r["run_status"] == "aborted"),
            "open_runs": _count(rows, lambda r: r["is_open"]),
            "runs_with_approval": _count(rows, lambda r: r["required_approval"]),
            **_mean(rows, "run_seconds", "run_seconds_sum", "run_seconds_count", "avg_run_seconds"),
        }
        for key, rows in _groups(
            runs,
            lambda r: {
                **_when(r["created_at"]),
                "playbook_id": r["playbook_id"],
                "component_name": r["component_name"],
            },
        )
    ]


def _healing(actions: list[Row], names: Names) -> list[Row]:
    return [
        {
            **key,
            "total_actions": len(rows),
            "successful_actions": _count(rows, lambda r: r["was_successful"]),
        }
        for key, rows in _groups(
            actions,
            lambda r: {
                **_when(r["created_at"]),
                **names.component(r),
                "action_type": r["action_type"],
            },
        )
    ]


def _drift(benchmarks: list[Row]) -> list[Row]:
    return [
        {
            **key,
            "total_runs": len(rows),
            "passed_runs": _count(rows, lambda r: r["has_passed"]),
            "drifted_runs": _count(rows, lambda r: r["drift_detected"]),
            **_mean(rows, "drift_score", "drift_score_sum", "drift_score_count", "avg_drift_score"),
            "max_drift_score": max(
                (r["drift_score"] for r in rows if r["drift_score"] is not None), default=None
            ),
        }
        for key, rows in _groups(
            benchmarks, lambda r: {**_when(r["created_at"]), "benchmark_type": r["benchmark_type"]}
        )
    ]


def _queue(tasks: list[Row]) -> list[Row]:
    return [
        {
            **key,
            "total_tasks": len(rows),
            "successful_tasks": _count(rows, lambda r: r["was_successful"]),
            "failed_tasks": _count(rows, lambda r: r["has_failed"]),
            "cancelled_tasks": _count(rows, lambda r: r["task_status"] == "cancelled"),
            "open_tasks": _count(rows, lambda r: r["is_open"]),
            **_mean(
                rows,
                "queue_seconds",
                "queue_seconds_sum",
                "queue_seconds_count",
                "avg_queue_seconds",
            ),
            **_mean(rows, "run_seconds", "run_seconds_sum", "run_seconds_count", "avg_run_seconds"),
            **_mean(
                rows,
                "total_seconds",
                "total_seconds_sum",
                "total_seconds_count",
                "avg_total_seconds",
            ),
        }
        for key, rows in _groups(
            tasks, lambda r: {**_when(r["created_at"], hour=True), "task_type": r["task_type"]}
        )
    ]


def bucket(duration: float) -> float:
    """The middle of the bucket that a duration falls into: two digits of its microseconds tell it."""
    micros = round(duration * 1_000_000)
    size, sign = abs(micros), -1 if micros < 0 else 1
    if size < 100:
        return micros / 1_000_000
    width: int = 10 ** (len(str(size)) - 2)
    lower: int = size // width * width
    return sign * (lower + width / 2) / 1_000_000


def _latency_histogram(facts: Facts, names: Names) -> list[Row]:
    measures: list[tuple[str, str, str, Callable[[Row], Row]]] = [
        (
            "verification_duration",
            "fact_verification_executions",
            "duration_seconds",
            names.tier_code,
        ),
        ("approval_decision", "fact_approvals", "decision_time_seconds", names.tier_code),
        ("playbook_run", "fact_playbook_runs", "run_seconds", names.tier_code),
        ("error_resolution", "fact_error_events", "resolution_time_seconds", _no_tier),
        ("queue_wait", "fact_execution_tasks", "queue_seconds", _no_tier),
        ("task_run", "fact_execution_tasks", "run_seconds", _no_tier),
    ]
    observed = [
        {
            "measure": measure,
            **_when(row["created_at"]),
            **tier(row),
            "bucket_seconds": bucket(row[column]),
        }
        for measure, fact, column, tier in measures
        for row in facts[fact]
        if row[column] is not None
    ]
    return [{**key, "observations": len(rows)} for key, rows in _groups(observed, lambda row: row)]


def _no_tier(_: Row) -> Row:
    return {"tier_code": "unknown"}


def _percentiles(histogram: list[Row]) -> list[Row]:
    grain = ("measure", "year", "month", "day", "tier_code")
    found = []
    for key, buckets in _groups(histogram, lambda row: {name: row[name] for name in grain}):
        observations = sum(row["observations"] for row in buckets)
        ordered = sorted(buckets, key=lambda row: row["bucket_seconds"])
        row = {**key, "observations": observations, "relative_error": 0.05}
        for percent in (50, 90, 95, 99):
            so_far = 0
            for step in ordered:
                so_far += step["observations"]
                if so_far * 100 >= percent * observations:
                    row[f"p{percent}_seconds"] = step["bucket_seconds"]
                    break
        found.append(row)
    return found
