"""Running Grace itself: the state machine, its loops and policies, resilience, and core state."""

from __future__ import annotations

import json
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import HOUR, MINUTE, SECOND
from grace_dbt.simulation.vocabulary import COMPONENTS, SERVICES
from grace_dbt.simulation.world import World

LOOPS = ("homeostasis", "learning", "governance", "resilience")
PHASES = ("sense", "interpret", "plan", "check", "act", "verify", "learn")
STATES = ("starting", "running", "degraded", "running", "maintenance", "running")
INDICATORS = (("latency", 300.0), ("availability", 0.995), ("error_rate", 0.02))


def write(world: World) -> None:
    """Write the tables of orchestration and resilience."""
    rng = world.stream("operations")
    _write_definitions(world, rng)
    _write_tasks(world, rng)
    _write_states(world, rng)
    _write_breakers(world, rng)
    _write_incidents(world, rng)
    _write_indicators(world, rng)


def _write_definitions(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    start = clock.iso(clock.first)
    now = clock.last // SECOND
    for number, loop in enumerate(LOOPS, 1):
        interval = 300 * number
        runs = (clock.last - clock.first) // SECOND // interval
        book.add(
            "orchestration_loops",
            {
                "loop_id": f"loop_{loop}",
                "name": f"{loop} loop",
                "priority": number,
                "interval_s": interval,
                "kernels": json.dumps([loop, "memory"]),
                "policies": json.dumps(["policy_security"]),
                "enabled": 1,
                "created_at": start,
                "updated_at": start,
                "last_run": float(now - spread(rng, 1, 200)),
                "next_run": float(now),
                "run_count": runs,
                "failure_count": runs // 90,
                "average_duration": share(rng, 0.4, 20),
            },
        )
    for number, kind in enumerate(("security", "governance", "performance"), 1):
        book.add(
            "policies",
            {
                "policy_id": f"policy_{kind}",
                "name": f"{kind} baseline",
                "type": kind,
                "scope": "everything",
                "rules": json.dumps([{"limit": number}]),
                "enabled": 1,
                "priority": number,
                "created_at": start,
                "updated_at": start,
                "applied_count": world.contracts,
                "violation_count": world.contracts // 400,
            },
        )
        book.add(
            "degradation_policies",
            {
                "id": f"degrade_{kind}",
                "policy_name": f"shed {kind} load",
                "component_pattern": ".*",
                "trigger_conditions": '{"error_rate": 0.1}',
                "degradation_actions": '["disable_explanations"]',
                "priority": 100 * number,
                "enabled": 1,
                "created_at": clock.text(clock.first),
                "updated_at": clock.text(clock.first),
            },
        )


def _write_tasks(world: World, rng: Random) -> None:
    clock = world.clock
    ids = Serial(rng, "otask_")
    endings = Deck(
        rng,
        {"completed": 0.9, "failed": 0.04, "cancelled": 0.02, "timeout": 0.02, "rolled_back": 0.02},
    )
    moments = world.moments(world.some(20, 1), rng)
    for number, moment in enumerate(moments, 1):
        started = moment + spread(rng, 1, 60) * SECOND
        ended = started + spread(rng, 1, 900) * SECOND
        status = endings.deal()
        if started > clock.last or number == len(moments):
            status = "pending"
        elif ended > clock.last or number == len(moments) - 1:
            status = "running"
        over = status not in ("pending", "running")
        bad = status in ("failed", "timeout", "rolled_back")
        world.book.add(
            "orchestration_tasks",
            {
                "task_id": ids(),
                "loop_id": f"loop_{LOOPS[number % len(LOOPS)]}",
                "stage": PHASES[number % len(PHASES)],
                "inputs": json.dumps({"tick": number}),
                "outputs": '{"ok": true}' if status == "completed" else None,
                "status": status,
                "error": json.dumps({"message": status}) if bad else None,
                "priority": 5,
                "created_at": clock.iso(moment),
                "started_at": None if status == "pending" else clock.iso(started),
                "completed_at": clock.iso(ended) if over else None,
                "timeout_minutes": 30,
            },
        )


def _write_states(world: World, rng: Random) -> None:
    """The state machine moves along; each move starts where the last one ended."""
    clock, book = world.clock, world.book
    current = STATES[0]
    for number, moment in enumerate(world.moments(world.some(8, 0.1), rng), 1):
        following = STATES[number % len(STATES)]
        context = json.dumps({"load": share(rng, 0.1, 0.9)})
        written = clock.text(world.within(moment + spread(rng, 1, 5) * SECOND))
        book.add(
            "state_transitions",
            {
                "id": number,
                "from_state": current,
                "to_state": following,
                "trigger": "recovered" if following == "running" else f"enter_{following}",
                "context": context,
                "timestamp": clock.iso(moment),
                "created_at": written,
            },
        )
        book.add(
            "orchestration_state",
            {
                "id": number,
                "state": following,
                "context": context,
                "timestamp": clock.iso(moment),
                "created_at": written,
            },
        )
        current = following


def _write_breakers(world: World, rng: Random) -> None:
    """A breaker opens in an incident, tries half open, and closes; the log keeps each move."""
    clock = world.clock
    for number, component in enumerate(SERVICES, 1):
        failed: int | None = None
        moved = clock.first
        for incident in world.rhythm.incidents:
            if incident.component != component:
                continue
            opened = incident.start + spread(rng, 20, 200) * SECOND
            trial = (opened + incident.end) // 2
            # One trial call fails, the next one gets through.
            path = (
                ("closed", "open", opened),
                ("open", "half_open", trial),
                ("half_open", "open", trial + 5 * SECOND),
                ("open", "half_open", incident.end + 60 * SECOND),
                ("half_open", "closed", incident.end + 70 * SECOND),
            )
            for before, after, at in path:
                world.log.record(
                    world.within(at),
                    "resilience",
                    f"circuit_breaker.{after}",
                    f"breaker_{component}",
                    subsystem="resilience",
                    payload=f'{{"from": "{before}", "to": "{after}"}}',
                    result=after,
                )
            failed, moved = trial + 5 * SECOND, incident.end + 70 * SECOND
        state = "closed"
        if number == len(SERVICES):
            # One is under way right now: closed, open since a minute.
            state, failed = "open", clock.last - 40 * SECOND
            moved = failed
            world.log.record(
                moved,
                "resilience",
                "circuit_breaker.open",
                f"breaker_{component}",
                subsystem="resilience",
                payload='{"from": "closed", "to": "open"}',
                result="open",
            )
        world.book.add(
            "circuit_breakers",
            {
                "id": f"breaker_{component}",
                "component_name": component,
                "state": state,
                "failure_count": 5 if state == "open" else 0,
                "failure_threshold": 5,
                "timeout_duration_seconds": 60,
                "last_failure_time": None if failed is None else clock.text(failed),
                "last_success_time": clock.text(clock.last - spread(rng, 50, 400) * SECOND),
                "next_attempt_time": clock.text(clock.last - 1 * SECOND)
                if state == "open"
                else None,
                "created_at": clock.text(clock.first),
                "updated_at": clock.text(world.within(moved)),
            },
        )


def _write_incidents(world: World, rng: Random) -> None:
    """The incidents of the rhythm, and lesser ones, with what was tried against them."""
    clock, book = world.clock, world.book
    statuses = Deck(rng, {"closed": 0.4, "resolved": 0.5, "mitigated": 0.1})
    cases = [(i.start, i.end, i.component, i.severity, i.cause) for i in world.rhythm.incidents]
    lesser = world.moments(world.some(6, 0.05), rng)
    for moment in lesser:
        end = moment + spread(rng, 5, 180) * MINUTE
        cases.append((moment, end, rng.choice(SERVICES + COMPONENTS), "low", "brief outage"))
    cases.sort()
    for number, (start, end, component, severity, cause) in enumerate(cases, 1):
        status = statuses.deal() if severity == "low" else "closed"
        if severity == "low" and (end > clock.last or start >= lesser[-2]):
            status = "open" if start == lesser[-1] else "investigating"
        over = status in ("closed", "resolved")
        incident = f"incident_{number:04d}"
        book.add(
            "resilience_incidents",
            {
                "id": incident,
                "incident_type": "outage" if severity in ("high", "critical") else "degradation",
                "component_name": component,
                "severity": severity,
                "description": f"{component}: {cause}",
                "status": status,
                "created_at": clock.text(start),
                "resolved_at": clock.text(end) if over else None,
                "resolution_summary": f"{component} was restarted and watched" if over else None,
                "metadata": None,
            },
        )
        began = world.within(start + spread(rng, 30, 300) * SECOND)
        done = over or status == "mitigated"
        book.add(
            "recovery_actions",
            {
                "id": f"{incident}_action",
                "incident_id": incident,
                "action_type": rng.choice(("restart", "failover", "rollback")),
                "action_details": json.dumps({"target": component}),
                "status": "completed" if done else "in_progress",
                "started_at": clock.text(began),
                "completed_at": clock.text(world.within(max(end, began))) if done else None,
                "result_summary": "Service restored" if done else None,
            },
        )
        if not over:
            book.add(
                "active_degradations",
                {
                    "id": f"{incident}_degradation",
                    "component_name": component,
                    "policy_id": "degrade_performance",
                    "degradation_level": rng.choice(("mild", "moderate", "severe")),
                    "started_at": clock.text(began),
                    "expected_duration_seconds": 3600,
                    "metadata": None,
                },
            )


def _write_indicators(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    ids = Serial(rng, "sli_")
    for moment in world.moments(world.some(20, 1), rng):
        kind, target = INDICATORS[int(rng.random() * len(INDICATORS))]
        strain = 2.5 if world.rhythm.slot_at(moment).incident else 1.0
        value = share(rng, 0.3, 0.98) * target * strain
        if kind == "availability":
            value = 1 - (1 - target) * share(rng, 0.1, 0.9) * strain
        book.add(
            "sli_measurements",
            {
                "id": ids(),
                "sli_name": f"service_{kind}",
                "component_name": rng.choice(SERVICES),
                "measurement_type": kind,
                "value": round(value, 5),
                "target_value": target,
                "measured_at": clock.text(moment),
                "metadata": None,
            },
        )
    window = max(clock.last // HOUR * HOUR, clock.first)
    for service in SERVICES:
        limit = rng.choice((100, 1_000, 5_000))
        book.add(
            "rate_limits",
            {
                "id": f"limit_{service}",
                "resource_name": service,
                "limit_type": "per_hour",
                "max_requests": limit,
                "current_requests": int(limit * rng.random()),
                "window_start": clock.text(window),
                "reset_at": clock.text(clock.last),
                "created_at": clock.text(clock.first),
                "updated_at": clock.text(clock.last),
            },
        )
