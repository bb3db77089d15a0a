"""Facts of tasks and of the shards that run them."""

from __future__ import annotations

from cube_oracle.dimensions import actor_key
from cube_oracle.reading import minute_key, seconds, surrogate
from cube_oracle.source import Row
from cube_oracle.world import World


def execution_tasks(world: World) -> list[Row]:
    """A task each."""
    facts = []
    for task in world.staged["execution_tasks"]:
        at, started, completed = task["created_at"], task["started_at"], task["completed_at"]
        facts.append({
            "task_key": surrogate(task["id"]),
            "time_key": minute_key(at),
            "actor_key": actor_key(task["user"]),
            "execution_task_id": task["id"],
            "task_id": task["task_id"],
            "task_type": task["task_type"],
            "task_status": task["status"],
            "queue_seconds": seconds(at, started),
            "run_seconds": seconds(started, completed),
            "total_seconds": seconds(at, completed),
            "progress": task["progress"],
            "was_successful": task["status"] == "completed",
            "has_failed": task["status"] == "failed",
            "is_open": task["status"] not in ("completed", "failed", "cancelled"),
            "error_message": task["error"],
            "created_at": at,
            "started_at": started,
            "completed_at": completed,
        })  # fmt: skip
    return facts


def shard_heartbeats(world: World) -> list[Row]:
    """A heartbeat each."""
    return [
        {
            "heartbeat_key": surrogate(beat["id"]),
            "time_key": minute_key(beat["recorded_at"]),
            "actor_key": actor_key(beat["agent_id"]),
            "heartbeat_id": beat["id"],
            "shard_id": beat["shard_id"],
            "host": beat["host"],
            "task_id": beat["current_task_id"],
            "shard_status": beat["status"],
            "version": beat["version"],
            **{
                name: beat[name]
                for name in (
                    "sequence", "queue_depth", "active_tasks", "completed_tasks", "failed_tasks", "cpu_percent",
                    "memory_mb", "latency_ms",
                )
            },
            "is_healthy": beat["status"] == "healthy",
            "created_at": beat["recorded_at"],
        }
        for beat in world.staged["shard_heartbeats"]
    ]  # fmt: skip
