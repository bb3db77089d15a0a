"""Facts of playbooks, their steps, and remedies outside them."""

from __future__ import annotations

from cube_oracle.dimensions import actor_key
from cube_oracle.reading import UNKNOWN, minute_key, seconds, surrogate
from cube_oracle.source import Row
from cube_oracle.world import World

ENDED = ("succeeded", "failed", "rolled_back", "aborted")


def playbook_runs(world: World) -> list[Row]:
    """A run each, under the mission and tier of the contract that it works for."""
    facts = []
    for run in world.staged["playbook_runs"]:
        at, started, ended = run["created_at"], run["started_at"], run["ended_at"]
        contract = world.contract_of_run(run["id"])
        facts.append({
            "playbook_run_key": surrogate(run["id"]),
            "time_key": minute_key(at),
            "mission_key": world.mission_key(contract, at),
            "component_key": world.components.key(run["service"], at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(run["requested_by"]),
            "playbook_run_id": run["id"],
            "playbook_id": run["playbook_id"],
            "component_name": run["service"],
            "contract_id": contract["id"] if contract else None,
            "approval_id": run["approval_request_id"],
            "run_status": run["status"],
            "waiting_seconds": seconds(at, started),
            "run_seconds": seconds(started, ended),
            "total_seconds": seconds(at, ended),
            "was_successful": run["status"] == "succeeded",
            "was_rolled_back": run["status"] == "rolled_back",
            "is_open": run["status"] not in ENDED,
            "required_approval": run["approval_request_id"] is not None,
            "created_at": at,
            "started_at": started,
            "ended_at": ended,
        })  # fmt: skip
    return facts


def playbook_steps(world: World) -> list[Row]:
    """A step run each, under the component and the asker of its run."""
    facts = []
    for step in world.staged["playbook_step_runs"]:
        at = step["created_at"]
        run = world.runs.get(step["run_id"] or "")
        facts.append({
            "step_key": surrogate(step["id"]),
            "time_key": minute_key(at),
            "component_key": world.components.key(run["service"], at) if run else UNKNOWN,
            "actor_key": actor_key(run["requested_by"] if run else None),
            "step_run_id": step["id"],
            "playbook_run_id": step["run_id"],
            "playbook_id": run["playbook_id"] if run else None,
            "step_id": step["step_id"],
            "step_order": step["step_order"],
            "step_status": step["status"],
            "duration_seconds": seconds(at, step["ended_at"]),
            "was_successful": step["status"] == "succeeded",
            "created_at": at,
            "ended_at": step["ended_at"],
        })  # fmt: skip
    return facts


def healing_actions(world: World) -> list[Row]:
    """A remedy each."""
    return [
        {
            "healing_key": surrogate(action["id"]),
            "time_key": minute_key(action["created_at"]),
            "component_key": world.components.key(action["component"], action["created_at"]),
            "healing_id": action["id"],
            "component_name": action["component"],
            "action_type": action["action"],
            "result": action["result"],
            "was_successful": has_healed(action),
            "created_at": action["created_at"],
        }
        for action in world.staged["healing_actions"]
    ]


def has_healed(action: Row) -> bool:
    """Whether a remedy says that it worked, in any case of its letters."""
    return (action["result"] or "").lower() in ("success", "succeeded")
