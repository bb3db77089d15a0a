"""The intelligence kernel: requests, plans, results, and the trials of new models."""

from __future__ import annotations

import json
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import MINUTE, SECOND
from grace_dbt.simulation.oversight import Oversight
from grace_dbt.simulation.world import World

TASKS = ("classification", "forecasting", "ranking", "anomaly_detection")
SPECIALISTS = ("tabular_classification", "time_series", "language", "vision")
MODELS = ("xgb@1.3.2", "lstm@0.9.1", "bert_small@2.0.0", "prophet@1.1.5")
STEPS = (5, 25, 50, 100)


def write(world: World, oversight: Oversight) -> None:
    """Write eight tables of the kernel."""
    rng = world.stream("intelligence")
    _write_requests(world, rng, oversight)
    _write_canaries(world, rng)
    _write_shadows(world, rng)


def _write_requests(world: World, rng: Random, oversight: Oversight) -> None:
    clock, book = world.clock, world.book
    plans = Serial(rng, "plan_")
    risks = Deck(rng, {"low": 0.6, "medium": 0.28, "high": 0.12})
    verdicts = Deck(rng, {True: 0.85, False: 0.15})
    outcomes = Deck(rng, {"completed": 0.95, "failed": 0.05})
    moments = world.moments(world.some(24, 3), rng)
    for number, moment in enumerate(moments, 1):
        request = f"req_{clock.stamp(moment, '_')}_{number:04d}"
        task, risk, env = rng.choice(TASKS), risks.deal(), rng.choice(("prod", "prod", "staging"))
        head = {
            "req_id": request,
            "task": task,
            "modality": rng.choice(("tabular", "text", "image")),
            "context_json": json.dumps({"env": env, "latency_budget_ms": 400}),
            "input_data_json": None,
            "constraints_json": '{"min_calibration": 0.9}',
            "user_ctx_json": None,
            "latency_budget_ms": 400,
            "cost_budget_units": share(rng, 0.5, 6),
            "explanation_required": int(rng.random() < 0.3),
            "canary_allowed": 1,
            "segment": rng.choice(("default", "enterprise", "trial")),
            "env": env,
            "created_at": clock.text(moment),
        }
        planned = moment + spread(rng, 1, 8) * SECOND
        done = planned + spread(rng, 1, 30) * SECOND
        if number >= len(moments) - 1 or done > clock.last:
            book.add(
                "intel_requests", {**head, "status": "received" if number % 2 else "processing"}
            )
            continue
        # High risk asks governance first; a refusal ends the request before a plan is stored.
        decision = None
        if risk == "high":
            granted = verdicts.deal()
            decision = oversight.decide(
                moment, {"req_id": request, "task": task}, risk, approved=granted
            )
            if not granted:
                book.add("intel_requests", {**head, "status": "rejected"})
                continue
        outcome = outcomes.deal()
        book.add("intel_requests", {**head, "status": outcome})
        plan, model = plans(), rng.choice(MODELS)
        book.add(
            "intel_plans",
            {
                "plan_id": plan,
                "req_id": request,
                "route_json": json.dumps({"models": [model], "ensemble": "single"}),
                "policy_json": '{"min_confidence": 0.7, "min_calibration": 0.9}',
                "risk_level": risk,
                "governance_approved": 1 if risk == "high" else int(rng.random() < 0.5),
                "governance_decision_id": decision,
                "pre_flight_status": "passed",
                "created_at": clock.text(planned),
                "updated_at": clock.text(done),
                "status": outcome,
            },
        )
        _write_result(world, rng, (request, plan, model), done, good=outcome == "completed")


def _write_result(
    world: World, rng: Random, lineage: tuple[str, str, str], moment: int, *, good: bool
) -> None:
    request, plan, model = lineage
    book, when = world.book, world.clock.text(moment)
    uncertain = {
        "calibration": share(rng, 0.86, 0.99),
        "variance": share(rng, 0.01, 0.2),
        "entropy": share(rng, 0.05, 0.9),
    }
    spent = spread(rng, 12, 900)
    book.add(
        "intel_results",
        {
            "req_id": request,
            "plan_id": plan,
            "outputs_json": json.dumps({"label": "ok", "confidence": share(rng, 0.6, 0.99)})
            if good
            else None,
            "metrics_json": json.dumps(
                {
                    "calibration": uncertain["calibration"],
                    "fairness_delta": round(uncertain["variance"] / 2, 4),
                }
            ),
            "explanations_json": None,
            "uncertainties_json": json.dumps(uncertain),
            "lineage_json": json.dumps({"plan": plan, "models": [model]}),
            "governance_json": '{"approved": true, "redactions": []}',
            "timing_json": json.dumps({"total_ms": spent}),
            "shadow_result_json": None,
            "success": int(good),
            "error_message": None if good else "model server timed out",
            "created_at": when,
        },
    )
    book.add(
        "intel_specialist_reports",
        {
            "report_id": f"report_{plan[5:]}",
            "req_id": request,
            "specialist_name": rng.choice(SPECIALISTS),
            "model_key": model,
            "candidates_json": json.dumps({name: share(rng, 0.5, 0.99) for name in MODELS[:2]}),
            "metrics_json": json.dumps({"auroc": share(rng, 0.7, 0.98)}),
            "uncertainties_json": json.dumps(uncertain),
            "explanations_json": None,
            "risks_json": "[]",
            "execution_time_ms": spent,
            "success": int(good),
            "error_message": None if good else "model server timed out",
            "created_at": when,
        },
    )
    book.add(
        "intel_experiences",
        {
            "exp_id": f"iexp_{plan[5:]}",
            "req_id": request,
            "stage": rng.choice(("route", "plan", "infer", "explain", "eval", "canary", "shadow")),
            "metrics_json": json.dumps(
                {"p95_latency_ms": spent, "success_rate": share(rng, 0.9, 1)}
            ),
            "segment": "default",
            "model_keys": json.dumps([model]),
            "ensemble_type": None,
            "canary_pct": None,
            "shadow_enabled": 0,
            "governance_approved": 1,
            "created_at": when,
        },
    )
    if uncertain["calibration"] < 0.9:
        book.add(
            "intel_policy_violations",
            {
                "violation_id": f"violation_{plan[5:]}",
                "req_id": request,
                "plan_id": plan,
                "violation_type": rng.choice(("calibration", "calibration_threshold")),
                "severity": rng.choice(("warning", "medium", "high")),
                "required_value": 0.9,
                "actual_value": uncertain["calibration"],
                "policy_version": "2025.10.2",
                "remediation_json": '{"action": "recalibrate"}',
                "resolved": 0,
                "resolved_at": None,
                "created_at": when,
            },
        )


def _write_canaries(world: World, rng: Random) -> None:
    """Rollouts by 5, 25, 50 and 100 per cent; only a promoted one has reached the last step."""
    clock = world.clock
    statuses = Deck(rng, {"promoted": 0.6, "active": 0.15, "rolled_back": 0.15, "paused": 0.1})
    for number, moment in enumerate(world.moments(world.some(6, 0.05), rng), 1):
        status = statuses.deal()
        step = len(STEPS) - 1 if status == "promoted" else int(rng.random() * 3)
        touched = world.within(moment + (step + 1) * spread(rng, 10, 90) * MINUTE)
        over = status in ("promoted", "rolled_back")
        model, version = rng.choice(MODELS).split("@")
        world.book.add(
            "intel_canary_deployments",
            {
                "deployment_id": f"canary_{number:05d}",
                "model_key": model,
                "target_version": f"{version}-rc{number}",
                "current_step": step,
                "steps": json.dumps(STEPS),
                "success_metrics_json": '{"success_rate": 0.95}',
                "current_metrics_json": json.dumps({"success_rate": share(rng, 0.9, 1.0)}),
                "status": status,
                "auto_promote_threshold": 0.95,
                "started_at": clock.text(moment),
                "updated_at": clock.text(touched),
                "completed_at": clock.text(touched) if over else None,
            },
        )


def _write_shadows(world: World, rng: Random) -> None:
    clock = world.clock
    statuses = Deck(rng, {"completed": 0.6, "active": 0.3, "terminated": 0.1})
    for number, moment in enumerate(world.moments(world.some(5, 0.03), rng), 1):
        status = statuses.deal()
        touched = world.within(moment + spread(rng, 60, 2_000) * MINUTE)
        history = [share(rng, 0.8, 0.99) for _ in range(4)]
        world.book.add(
            "intel_shadow_deployments",
            {
                "deployment_id": f"shadow_{number:05d}",
                "primary_model_key": MODELS[number % len(MODELS)],
                "shadow_model_key": f"{MODELS[number % len(MODELS)]}-rc{number}",
                "traffic_pct": rng.choice((25, 50, 100)),
                "agreement_threshold": 0.9,
                "current_agreement": history[-1],
                "sample_count": spread(rng, 50, 90_000),
                "agreement_history_json": json.dumps(history),
                "status": status,
                "started_at": clock.text(moment),
                "updated_at": clock.text(touched),
                "completed_at": None if status == "active" else clock.text(touched),
            },
        )
