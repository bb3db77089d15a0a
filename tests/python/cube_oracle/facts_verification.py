"""Facts of what Grace did under contract, and of how it was checked."""

from __future__ import annotations

from datetime import datetime

from cube_oracle.dimensions import actor, actor_key, asked_by, mission_of
from cube_oracle.reading import count, largest, member, minute_key, seconds, surrogate, word
from cube_oracle.source import Row
from cube_oracle.world import World


def benchmarked(triggered_by: str | None) -> str | None:
    """The contract that a benchmark names, if it names one at all."""
    return None if triggered_by is None else triggered_by.removeprefix("contract:")


def verification_executions(world: World) -> list[Row]:
    """A contract each; the newest benchmark of a contract counts."""
    newest: dict[str | None, Row] = {}
    for run in sorted(
        world.staged["benchmark_runs"],
        key=lambda r: (r["created_at"] or datetime.min, r["run_id"] or ""),
    ):
        newest[benchmarked(run["triggered_by"])] = run
    facts = []
    for contract in world.staged["action_contracts"]:
        at, status, snapshot = (
            contract["created_at"],
            contract["status"],
            contract["safe_hold_snapshot_id"],
        )
        benchmark = newest.get(contract["id"], {})
        who = actor(contract["triggered_by"])
        facts.append({
            "execution_key": surrogate(contract["id"]),
            "time_key": minute_key(at),
            "mission_key": world.mission_key(contract, at),
            "component_key": world.components.key((who and who.component) or "action_executor", at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(contract["triggered_by"]),
            "contract_id": contract["id"],
            "action_type": contract["action_type"],
            "playbook_id": contract["playbook_id"],
            "mission_id": mission_of(contract["triggered_by"]),
            "tier_code": contract["tier"],
            "snapshot_id": snapshot,
            "benchmark_run_id": benchmark.get("run_id"),
            "duration_seconds": seconds(at, contract["verified_at"]),
            "confidence_score": contract["confidence_score"],
            "drift_score": largest(benchmark.get("delta_from_baseline")),
            "was_successful": status == "verified",
            "was_rolled_back": status == "rolled_back",
            "created_snapshot": snapshot is not None,
            "passed_benchmark": benchmark.get("passed"),
            "drift_detected": benchmark.get("drift_detected"),
            "contract_status": status,
            "error_message": word(member(contract["verification_result"], "error"))
            or word(member(contract["actual_effect"], "error")),
            "created_at": at,
            "executed_at": contract["executed_at"],
            "verified_at": contract["verified_at"],
        })  # fmt: skip
    return facts


def mission_progress(world: World) -> list[Row]:
    """A mission each, under the version that is open now."""
    return [
        {
            "mission_progress_key": surrogate(mission),
            "time_key": minute_key(row["started_at"]),
            "mission_key": world.missions.key(mission, None),
            "mission_id": mission,
            "mission_type": row["mission_type"],
            "final_status": row["status"],
            "planned_actions": count(row["total_planned_actions"]),
            **{
                name: count(row[name])
                for name in ("completed_actions", "failed_actions", "rolled_back_actions")
            },
            "progress_ratio": row["progress_ratio"],
            "confidence_score": row["confidence_score"],
            "health_score": row["current_health_score"],
            "duration_seconds": seconds(row["started_at"], row["completed_at"]),
            "was_successful": row["status"] == "completed",
            "can_rollback": row["can_rollback"],
            "started_at": row["started_at"],
            "completed_at": row["completed_at"],
        }
        for mission, row in world.timelines.items()
    ]


def benchmark_runs(world: World) -> list[Row]:
    """A benchmark each, under the mission and tier of the contract that it was run for."""
    facts = []
    for run in world.staged["benchmark_runs"]:
        at = run["created_at"]
        contract = world.contracts.get(benchmarked(run["triggered_by"]) or "")
        facts.append({
            "benchmark_key": surrogate(run["id"]),
            "time_key": minute_key(at),
            "mission_key": world.mission_key(contract, at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(contract["triggered_by"] if contract else asked_by(run["triggered_by"])),
            "benchmark_id": run["id"],
            "benchmark_run_id": run["run_id"],
            "contract_id": contract["id"] if contract else None,
            "benchmark_type": run["benchmark_type"],
            "baseline_id": run["baseline_id"],
            "duration_seconds": run["duration_seconds"],
            "drift_score": largest(run["delta_from_baseline"]),
            "has_passed": run["passed"],
            "drift_detected": run["drift_detected"],
            "is_golden": run["is_golden"],
            "created_at": at,
        })  # fmt: skip
    return facts


def safe_hold_snapshots(world: World) -> list[Row]:
    """A snapshot each."""
    facts = []
    for snapshot in world.staged["safe_hold_snapshots"]:
        at, restored = snapshot["created_at"], snapshot["restored_at"]
        contract = world.contracts.get(snapshot["action_contract_id"] or "")
        mission = (contract and mission_of(contract["triggered_by"])) or mission_of(
            snapshot["triggered_by"]
        )
        facts.append({
            "snapshot_key": surrogate(snapshot["id"]),
            "time_key": minute_key(at),
            "mission_key": world.missions.key(mission, at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(snapshot["triggered_by"]),
            "snapshot_id": snapshot["id"],
            "snapshot_type": snapshot["snapshot_type"],
            "snapshot_status": snapshot["status"],
            "contract_id": snapshot["action_contract_id"],
            "playbook_run_id": snapshot["playbook_run_id"],
            "health_score": snapshot["system_health_score"],
            "validation_seconds": seconds(at, snapshot["validated_at"]),
            "restore_seconds": seconds(at, restored),
            "is_golden": snapshot["is_golden"],
            "is_validated": snapshot["is_validated"],
            "was_restored": restored is not None or snapshot["status"] == "restored",
            "created_at": at,
            "validated_at": snapshot["validated_at"],
            "restored_at": restored,
        })  # fmt: skip
    return facts
