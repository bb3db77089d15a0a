"""Core state, shared snapshots and messages: what every kernel leans on."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import DAY, SECOND
from grace_dbt.simulation.vocabulary import COMPONENTS, SERVICES
from grace_dbt.simulation.world import World


def write(world: World) -> None:
    """Write the tables of core, common and communications, and a few events of other subsystems."""
    rng = world.stream("core")
    _write_instances(world, rng)
    _write_memory(world, rng)
    _write_snapshots(world, rng)
    _write_messages(world, rng)
    _record_daily_events(world, rng)


def _write_instances(world: World, rng: Random) -> None:
    clock = world.clock
    for number, component in enumerate(COMPONENTS, 1):
        beat = clock.text(clock.last - spread(rng, 1, 30) * SECOND)
        world.book.add(
            "instance_states",
            {
                "id": f"inst_{number:03d}",
                "instance_id": f"{component}-{number}",
                "component": component,
                "state": json.dumps({"position": spread(rng, 1, world.contracts + 1)}),
                "version": "1.4.1",
                "last_heartbeat": beat,
                "created_at": clock.text(clock.first),
                "updated_at": beat,
            },
        )


def _write_memory(world: World, rng: Random) -> None:
    clock = world.clock
    for number, moment in enumerate(world.moments(world.some(8, 0.1), rng), 1):
        lifetime = rng.choice((None, 3_600, 86_400))
        over = None if lifetime is None else clock.text_by_now(moment + lifetime * SECOND)
        when = clock.text(moment)
        world.book.add(
            "structured_memory",
            {
                "id": f"sm_{number:05d}",
                "key": f"preference:{number}",
                "value": json.dumps({"theme": rng.choice(("dark", "light"))}),
                "type": "json",
                "ttl_seconds": lifetime if over else None,
                "created_at": when,
                "updated_at": when,
                "accessed_at": clock.text(world.within(moment + spread(rng, 1, 3_000) * SECOND)),
                "access_count": spread(rng, 1, 90),
                "expires_at": over,
            },
        )


def _write_snapshots(world: World, rng: Random) -> None:
    """Snapshots shared by all components, and returns to some of them."""
    clock, book = world.clock, world.book
    endings = Deck(rng, {"completed": 0.85, "failed": 0.15})
    for number, moment in enumerate(world.moments(world.some(6, 0.1), rng), 1):
        component = rng.choice(SERVICES + COMPONENTS)
        payload = json.dumps({"component": component, "revision": number})
        snapshot = f"snap_{clock.stamp(moment, '_')}_{number:04d}"
        book.add(
            "snapshots",
            {
                "snapshot_id": snapshot,
                "component": component,
                "snapshot_type": rng.choice(("full", "partial", "pre_deployment")),
                "payload": payload,
                "hash": sha256(payload.encode()).hexdigest(),
                "size_bytes": len(payload),
                "compressed": 0,
                "created_at": clock.text(moment),
                "description": None,
                "metadata": None,
            },
        )
        started = moment + spread(rng, 600, 40_000) * SECOND
        if number % 3 or started > clock.last:
            continue
        ended = started + spread(rng, 5, 400) * SECOND
        status = endings.deal() if ended <= clock.last else "in_progress"
        book.add(
            "rollback_history",
            {
                "id": f"rb_{number:05d}",
                "component": component,
                "target_snapshot_id": snapshot,
                "from_state": json.dumps({"revision": number + 1}),
                "to_state": payload,
                "triggered_by": rng.choice(("user:alice", "guard:error_rate")),
                "reason": "error rate above its limit",
                "started_at": clock.text(started),
                "completed_at": clock.text_by_now(ended),
                "status": status,
                "error_message": "hash mismatch" if status == "failed" else None,
            },
        )


def _write_messages(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    letters, messages = Serial(rng, "dlq_"), Serial(rng, "msg_")
    statuses = Deck(rng, {"resolved": 0.6, "failed": 0.15, "retrying": 0.1, "discarded": 0.15})
    for moment in world.moments(world.some(6, 0.2), rng):
        status = statuses.deal()
        again = world.within(moment + spread(rng, 10, 4_000) * SECOND)
        book.add(
            "dlq_entries",
            {
                "id": letters(),
                "original_topic": f"grace.{rng.choice(SERVICES)}",
                "payload": '{"event": "retry me"}',
                "error_type": rng.choice(("TimeoutError", "ValidationError")),
                "error_message": "handler gave up",
                "retry_count": 3 if status == "discarded" else int(rng.random() * 3),
                "max_retries": 3,
                "first_failure_at": clock.text(moment),
                "last_failure_at": clock.text(again),
                "status": status,
                "resolved_at": clock.text(again) if status in ("resolved", "discarded") else None,
            },
        )
    for moment in world.moments(world.some(10, 0.5), rng):
        expires = moment + 600 * SECOND
        if expires > clock.last:
            continue
        message = messages()
        book.add(
            "message_dedupe",
            {
                "message_id": message,
                "message_hash": sha256(message.encode()).hexdigest(),
                "first_seen": clock.text(moment),
                "last_seen": clock.text(moment + spread(rng, 1, 90) * SECOND),
                "occurrence_count": 1 + int(rng.random() * 3),
                "expires_at": clock.text(expires),
            },
        )


def _record_daily_events(world: World, rng: Random) -> None:
    """Starts, backups and knowledge: events of subsystems that have no contracts."""
    clock = world.clock
    world.audit.record(
        clock.first, "system_startup", {"version": "1.4.0", "node": "node_a"}, "audit_only"
    )
    world.log.record(
        clock.first,
        "kernel_integrator",
        "system.started",
        "grace",
        subsystem="core",
        payload='{"version": "1.4.0"}',
        result="started",
    )
    for moment in range(clock.first + DAY // 2, clock.last, DAY):
        world.audit.record(
            moment,
            "snapshot_created",
            {"scope": "system", "reason": "daily", "bytes": spread(rng, 10_000, 9_000_000)},
            "public",
        )
        world.log.record(
            moment,
            "knowledge_engine",
            "knowledge.ingested",
            "Daily digest",
            subsystem="ingestion",
            payload=f'{{"artifact_id": {moment // DAY}, "trust": {share(rng, 0.6, 0.99)}}}',
            result="published",
        )
