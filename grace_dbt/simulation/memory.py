"""The memory kernel: a cache, a store, an index, and the traffic between them."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import HOUR, SECOND
from grace_dbt.simulation.world import World

TIERS = ("lightning", "fusion", "librarian")
STATS = (("hit_rate", "ratio"), ("avg_response", "milliseconds"), ("held", "bytes"))


def write(world: World) -> None:
    """Write seven tables of the kernel."""
    rng = world.stream("memory")
    keys = _write_entries(world, rng)
    _write_traffic(world, rng, keys)
    _write_upkeep(world, rng)


def _write_entries(world: World, rng: Random) -> list[str]:
    clock, book = world.clock, world.book
    entries, postings = Serial(rng, "mem_"), Serial(rng, "idx_")
    keys = []
    moments = world.moments(world.some(12, 0.6), rng)
    for number, moment in enumerate(moments):
        key = f"session:{number:05d}"
        keys.append(key)
        content = json.dumps({"key": key, "turns": spread(rng, 1, 40)}).encode()
        when = clock.text(moment)
        codec = rng.choice(("gzip", "lz4", "zstd", None))
        book.add(
            "fusion_memory",
            {
                "entry_id": entries(),
                "key": key,
                "content": content,
                "content_type": "application/json",
                "size_bytes": len(content),
                "checksum": sha256(content).hexdigest(),
                "compressed": int(codec is not None),
                "compression_type": codec,
                "metadata": '{"origin": "cognition"}',
                "tags": '["session"]',
                "created_at": when,
                "updated_at": when,
                "accessed_count": spread(rng, 1, 80),
                "last_accessed_at": clock.text(
                    world.within(moment + spread(rng, 1, 9_000) * SECOND)
                ),
            },
        )
        for kind in ("content", "semantic", "tag"):
            book.add(
                "librarian_index",
                {
                    "id": postings(),
                    "entry_key": key,
                    "index_type": kind,
                    "index_value": "session" if kind == "tag" else rng.choice(("outage", "deploy")),
                    "weight": share(rng, 0.5, 2.0),
                    "created_at": when,
                    "updated_at": when,
                },
            )
        if number >= len(moments) * 3 // 4:
            book.add(
                "lightning_memory",
                {
                    "key": key,
                    "value": content,
                    "content_type": "application/json",
                    "ttl_seconds": None,
                    "access_count": spread(rng, 1, 200),
                    "created_at": when,
                    "last_accessed_at": when,
                    "expires_at": None,
                },
            )
    return keys


def _write_traffic(world: World, rng: Random, keys: list[str]) -> None:
    clock, book = world.clock, world.book
    accesses, operations = Serial(rng, "acc_"), Serial(rng, "op_")
    for moment in world.moments(world.some(40, 2), rng):
        key, when = rng.choice(keys), clock.text(moment)
        hit = rng.random() < 0.7
        book.add(
            "memory_access_patterns",
            {
                "id": accesses(),
                "key": key,
                "access_type": rng.choice(("read", "read", "write", "search")),
                "access_timestamp": when,
                "response_time_ms": share(rng, 0.05, 0.9) if hit else share(rng, 2, 60),
                "cache_hit": int(hit),
                "user_context": None,
                "query_context": None,
            },
        )
        failed = rng.random() < 0.02
        book.add(
            "memory_operations",
            {
                "id": operations(),
                "operation_type": rng.choice(("store", "retrieve", "compress")),
                "key": key,
                "component": rng.choice(TIERS),
                "success": int(not failed),
                "duration_ms": share(rng, 0.1, 40),
                "size_bytes": spread(rng, 40, 90_000),
                "error_message": "checksum mismatch" if failed else None,
                "timestamp": when,
                "metadata": None,
            },
        )


def _write_upkeep(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    stats = Serial(rng, "stat_")
    for moment in world.moments(world.some(12, 0.5), rng):
        for tier in TIERS:
            kind, unit = rng.choice(STATS)
            book.add(
                "memory_stats",
                {
                    "id": stats(),
                    "stat_type": kind,
                    "component": tier,
                    "value": share(rng, 0.6, 0.95) if unit == "ratio" else share(rng, 1, 9_000),
                    "unit": unit,
                    "recorded_at": clock.text(moment),
                    "metadata": None,
                },
            )
    statuses = Deck(rng, {"completed": 0.85, "failed": 0.08, "cancelled": 0.07})
    moments = world.moments(world.some(8, 0.1), rng)
    for number, moment in enumerate(moments, 1):
        started = moment + spread(rng, 1, 60) * SECOND
        ended = started + spread(rng, 5, HOUR // SECOND) * SECOND
        status = "running" if started <= clock.last < ended else statuses.deal()
        if number == len(moments) or started > clock.last:
            status = "pending"
        total = spread(rng, 10, 4_000)
        over = status in ("completed", "failed")
        book.add(
            "memory_cleanup_tasks",
            {
                "id": f"cleanup_{number:05d}",
                "task_type": rng.choice(("expire", "compress", "reindex")),
                "component": rng.choice(TIERS),
                "status": status,
                "scheduled_at": clock.text(moment),
                "started_at": clock.text(started) if over or status == "running" else None,
                "completed_at": clock.text(world.within(ended)) if over else None,
                "items_processed": total if status == "completed" else 0,
                "items_total": total,
                "error_message": "index is being rebuilt" if status == "failed" else None,
                "metadata": None,
            },
        )
