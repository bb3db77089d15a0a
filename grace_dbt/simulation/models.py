"""Machine learning: the registry and its rollouts (MLDL), and the learning about learning (MLT)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import HOUR, MINUTE, SECOND
from grace_dbt.simulation.world import World

TASKS = ("classification", "ranking", "forecasting", "anomaly_detection")
TRAFFIC = (5, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered model: its number, names, stage, and when it got there."""

    number: int
    model: str
    version: str
    stage: str
    promoted: int
    author: str


def write(world: World) -> None:
    """Write the eight tables of MLDL and four of MLT."""
    _write_models(world, world.stream("models"))
    _write_alerts(world, world.stream("alerts"))
    _write_meta_learning(world, world.stream("mlt"))


def _write_models(world: World, rng: Random) -> None:
    """Models climb from development over staging to production, which an approval guards."""
    clock, book = world.clock, world.book
    stages = Deck(rng, {"production": 0.5, "staging": 0.25, "development": 0.25})
    for number, moment in enumerate(world.moments(world.some(6, 0.05), rng), 1):
        model, version, stage = f"model_{number:04d}", f"1.{number % 7}.{number % 3}", stages.deal()
        promoted = moment + spread(rng, 30, 600) * MINUTE
        if promoted > clock.last:
            promoted, stage = moment, "development"
        author = f"user:{rng.choice(('erin', 'frank', 'ivan'))}"
        book.add(
            "models",
            {
                "id": f"reg_{number:04d}",
                "model_id": model,
                "task": TASKS[number % len(TASKS)],
                "version": version,
                "artifact_uri": f"s3://grace-models/{model}/{version}",
                "metrics": json.dumps({"auroc": share(rng, 0.75, 0.97)}),
                "params": json.dumps({"depth": spread(rng, 3, 12)}),
                "tags": '["simulated"]',
                "signature": '{"inputs": ["features"], "outputs": ["label", "confidence"]}',
                "registered_by": author,
                "stage": stage,
                "governance_approved": int(stage == "production"),
                "created_at": clock.text(moment),
                "updated_at": clock.text(promoted),
            },
        )
        entry = Entry(number, model, version, stage, promoted, author)
        _write_approvals(world, rng, entry)
        if stage != "development":
            _write_rollout(world, rng, entry)


def _write_approvals(world: World, rng: Random, entry: Entry) -> None:
    """Production has an approval; staging waits for one, or was refused."""
    waiting = "rejected" if entry.number % 2 else "pending"
    decision = {"production": "approved", "staging": waiting}.get(entry.stage)
    if decision is None:
        return
    world.book.add(
        "model_approvals",
        {
            "id": f"mapp_{entry.number:04d}",
            "model_id": entry.model,
            "version": entry.version,
            "approver": rng.choice(("user:carol", "policy_engine")),
            "decision": decision,
            "reason": "Calibration below the limit" if decision == "rejected" else None,
            "policy_checks": '{"bias": "passed", "calibration": "passed"}',
            "created_at": world.clock.text(entry.promoted),
        },
    )


def _write_rollout(world: World, rng: Random, entry: Entry) -> None:
    """A canary walks 5, 25, 50, 100 per cent; one that breaks its objective goes back."""
    clock, book = world.clock, world.book
    number, deployment = entry.number, f"deploy_{entry.number:04d}"
    broken = entry.stage == "staging"
    steps: list[tuple[int, int, int]] = []
    at = entry.promoted
    for traffic in TRAFFIC:
        until = at + spread(rng, 10, 180) * MINUTE
        steps.append((traffic, at, until))
        at = until
        if at > clock.last or (broken and len(steps) == 2):
            break
    finished = at <= clock.last
    status = "rolled_back" if broken else "active"
    book.add(
        "model_deployments",
        {
            "id": deployment,
            "model_id": entry.model,
            "version": entry.version,
            "deployment_type": "canary",
            "endpoint": f"https://models.grace.internal/{entry.model}",
            "replicas": rng.choice((1, 2, 4)),
            "status": status if finished else "rolling_out",
            "deployed_by": entry.author,
            "deployed_at": clock.text(entry.promoted),
            "undeployed_at": clock.text(at) if broken and finished else None,
            "config": None,
        },
    )
    for place, (traffic, begins, ends) in enumerate(steps):
        over = ends <= clock.last
        outcome = "completed" if over else "running"
        if over and broken and place == len(steps) - 1:
            outcome = "rolled_back"
        book.add(
            "canary_progress",
            {
                "id": f"{deployment}_step_{place}",
                "deployment_id": deployment,
                "stage": place,
                "traffic_percentage": traffic,
                "started_at": clock.text(begins),
                "completed_at": clock.text(ends) if over else None,
                "status": outcome,
                "metrics": json.dumps({"success_rate": share(rng, 0.9, 1.0)}),
            },
        )
        for name in ("p95_latency", "error_rate"):
            book.add(
                "model_metrics",
                {
                    "id": f"{deployment}_{place}_{name}",
                    "deployment_id": deployment,
                    "metric_type": "performance",
                    "metric_name": name,
                    "value": share(rng, 20, 180) if name == "p95_latency" else share(rng, 0, 0.03),
                    "timestamp": clock.text(begins),
                    "metadata": None,
                },
            )
    if broken and finished:
        book.add(
            "slo_violations",
            {
                "id": f"slo_{number:04d}",
                "deployment_id": deployment,
                "slo_name": "latency",
                "metric_name": "p95_latency",
                "threshold_value": 200.0,
                "actual_value": share(rng, 210, 900),
                "severity": rng.choice(("medium", "high", "critical")),
                "detected_at": clock.text(steps[-1][1]),
                "resolved_at": clock.text(at),
                "resolution": "Rolled back",
            },
        )
        book.add(
            "deployment_rollback_history",
            {
                "id": f"back_{number:04d}",
                "deployment_id": deployment,
                "from_version": entry.version,
                "to_version": "1.0.0",
                "reason": "latency objective breached",
                "triggered_by": "system:sentinel",
                "triggered_at": clock.text(steps[-1][1]),
                "completed_at": clock.text(at),
                "status": "completed",
            },
        )


def _write_alerts(world: World, rng: Random) -> None:
    clock = world.clock
    severities = Deck(rng, {"low": 0.3, "medium": 0.4, "high": 0.25, "critical": 0.05})
    moments = world.moments(world.some(6, 0.2), rng)
    moments += [incident.start for incident in world.rhythm.incidents]
    for number, moment in enumerate(sorted(moments), 1):
        incident = world.rhythm.slot_at(moment).incident
        resolved = moment + spread(rng, 2, 300) * MINUTE
        taken = rng.random() < 0.8
        world.book.add(
            "alerts",
            {
                "id": f"alert_{number:05d}",
                "alert_type": "objective_breached" if incident else "drift_detected",
                "severity": incident.severity if incident else severities.deal(),
                "component": incident.component if incident else "model_server",
                "message": incident.cause if incident else "population drift above its limit",
                "triggered_at": clock.text(moment),
                "resolved_at": clock.text_by_now(resolved),
                "acknowledged": int(taken),
                "acknowledged_by": "user:heidi" if taken else None,
                "metadata": None,
            },
        )


def _write_meta_learning(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    experiences, insights = Serial(rng, "mexp_"), Serial(rng, "mins_")
    sources = Deck(rng, {"training": 0.2, "inference": 0.5, "governance": 0.1, "ops": 0.2})
    kinds = Deck(rng, {"drift": 0.5, "bias": 0.2, "calibration": 0.3})
    statuses = Deck(
        rng,
        {"completed": 0.5, "approved": 0.1, "rejected": 0.1, "pending": 0.1, "executing": 0.1}
        | {"failed": 0.05, "rolled_back": 0.05},
    )
    for number, moment in enumerate(world.moments(world.some(20, 1), rng), 1):
        lag = spread(rng, 1, HOUR // SECOND) - 1
        task = TASKS[number % len(TASKS)]
        book.add(
            "mlt_experiences",
            {
                "id": experiences(),
                "source": sources.deal(),
                "task": task,
                "context_json": json.dumps({"model": f"model_{number % 6 + 1:04d}"}),
                "signals_json": json.dumps({"confidence": share(rng, 0.5, 0.99)}),
                "gt_lag_s": lag,
                "ts": clock.text(moment),
                "created_at": clock.text(world.within(moment + lag * SECOND)),
            },
        )
        if number % 4:
            continue
        kind, insight, when = kinds.deal(), insights(), clock.text(moment)
        remedy = {"drift": "retrain", "bias": "reweight", "calibration": "recalibrate"}[kind]
        book.add(
            "mlt_insights",
            {
                "id": insight,
                "type": kind,
                "scope": "model",
                "target_ref": f"model_{number % 6 + 1:04d}",
                "evidence_json": json.dumps({"psi": share(rng, 0.1, 0.5)}),
                "confidence": share(rng, 0.6, 0.99),
                "recommendation": remedy,
                "ts": when,
                "created_at": when,
            },
        )
        book.add(
            "mlt_plans",
            {
                "id": f"mplan_{insight[5:]}",
                "plan_json": json.dumps({"steps": [remedy, "evaluate", "canary"]}),
                "expected_effect": json.dumps({"f1": share(rng, 0.0, 0.05)}),
                "risk_controls": '{"canary_pct": 5, "abort_below": 0.9}',
                "status": statuses.deal(),
                "rationale": f"{kind} was found",
                "correlation_id": insight,
                "created_at": when,
                "updated_at": when,
            },
        )
        book.add(
            "mlt_specialist_reports",
            {
                "id": f"mrep_{insight[5:]}",
                "specialist": "calibration_auditor",
                "task": task,
                "candidates_json": json.dumps(
                    {"current": 0.9, "retrained": share(rng, 0.85, 0.97)}
                ),
                "dataset_id": "ds_incidents",
                "notes": None,
                "version": "1.2.0",
                "ts": when,
                "created_at": when,
            },
        )
