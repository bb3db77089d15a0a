"""The learning kernel: data sets, labels by people and by rules, queries, reports."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import HOUR, SECOND
from grace_dbt.simulation.world import World

DATASETS = (
    ("ds_incidents", "classification", "text"),
    ("ds_usage", "timeseries", "tabular"),
    ("ds_calls", "nlp", "audio"),
    ("ds_costs", "regression", "tabular"),
)
POLICIES = ("strict_quality_policy", "fast_lane_policy")
LABELERS = (("rule", "keyword_rules"), ("model", "distilled_model"), ("heuristic", "length_score"))
STAGES = (
    "labeling", "active_query", "weak_supervision", "augmentation", "curriculum",
    "version_publish", "eval",
)  # fmt: skip
Published = list[tuple[str, str, int]]


def write(world: World) -> None:
    """Write eleven tables of the kernel."""
    rng = world.stream("learning")
    published = _write_datasets(world, rng)
    _write_labels(world, rng, published)
    _write_weak_labels(world, rng)
    _write_signals(world, rng, published)


def _write_datasets(world: World, rng: Random) -> Published:
    """Data sets with their versions, each version once and never changed."""
    clock, book = world.clock, world.book
    count = world.some(2, 0.02)
    published: Published = []
    for dataset, task, modality in DATASETS:
        registered = clock.first + spread(rng, 1, 3_000) * SECOND
        moments = [m for m in world.moments(count, rng) if m > registered]
        versions = [(f"1.{number}.0", moment) for number, moment in enumerate(moments)]
        book.add(
            "datasets",
            {
                "dataset_id": dataset,
                "task": task,
                "modality": modality,
                "schema_json": '{"target": "y"}' if modality == "tabular" else None,
                "default_version": versions[-1][0] if versions else None,
                "created_at": clock.text(registered),
                "updated_at": clock.text(versions[-1][1] if versions else registered),
            },
        )
        for version, moment in versions:
            published.append((dataset, version, moment))
            book.add(
                "dataset_versions",
                {
                    "version_id": f"{dataset}@{version}",
                    "dataset_id": dataset,
                    "version": version,
                    "source_refs_json": json.dumps([f"s3://grace-silver/{dataset}"]),
                    "row_count": spread(rng, 800, 400_000),
                    "byte_size": spread(rng, 90_000, 900_000_000),
                    "stats_json": json.dumps({"missing": share(rng, 0, 0.1)}),
                    "train_split": 0.8,
                    "valid_split": 0.1,
                    "test_split": 0.1,
                    "feature_view": f"view_{dataset[3:]}_{version}",
                    "lineage_hash": sha256(f"{dataset}@{version}".encode()).hexdigest(),
                    "governance_label": rng.choice(("public", "internal", "restricted")),
                    "created_at": clock.text(moment),
                },
            )
            built = moment + spread(rng, 60, 4_000) * SECOND
            ready = built <= clock.last
            book.add(
                "feature_views",
                {
                    "view_id": f"view_{dataset[3:]}_{version}",
                    "dataset_id": dataset,
                    "version": version,
                    "view_uri": f"s3://grace-features/{dataset}/{version}",
                    "format": "parquet",
                    "build_status": "ready" if ready else "building",
                    "created_at": clock.text(moment),
                    "built_at": clock.text(built) if ready else None,
                },
            )
    return published


def _write_labels(world: World, rng: Random, published: Published) -> None:
    clock, book = world.clock, world.book
    start = clock.text(clock.first)
    for policy in POLICIES:
        book.add(
            "label_policies",
            {
                "policy_id": policy,
                "rubric_json": '{"labels": ["ok", "degraded", "down"], "evidence": true}',
                "gold_ratio": 0.05,
                "dual_label_ratio": 0.2,
                "min_agreement": 0.8,
                "allow_pii": 0,
                "mask_pii": 1,
                "created_at": start,
                "updated_at": start,
            },
        )
    statuses = Deck(rng, {"completed": 0.6, "active": 0.25, "paused": 0.1, "cancelled": 0.05})
    labels = Serial(rng, "label_")
    for number, (dataset, version, moment) in enumerate(published, 1):
        items = [f"{dataset}_item_{number}_{item}" for item in range(1 + world.some(3, 0.03))]
        opened = world.within(moment + spread(rng, 60, 7_000) * SECOND)
        book.add(
            "label_tasks",
            {
                "task_id": f"ltask_{number:05d}",
                "dataset_id": dataset,
                "version": version,
                "policy_id": POLICIES[number % 2],
                "assign_strategy": rng.choice(("auto", "round_robin", "skill_based")),
                "items_json": json.dumps(items),
                "priority": rng.choice(("low", "normal", "normal", "high", "critical")),
                "status": statuses.deal(),
                "created_at": clock.text(opened),
                "updated_at": clock.text(opened),
            },
        )
        for item in items:
            agreed = rng.random() < 0.2
            book.add(
                "labels",
                {
                    "label_id": labels(),
                    "task_id": f"ltask_{number:05d}",
                    "item_id": item,
                    "annotator_id": f"annotator_{1 + int(rng.random() * 6)}",
                    "y_value": json.dumps(rng.choice(("ok", "degraded", "down"))),
                    "evidence_json": None,
                    "weak_sources_json": None,
                    "agreement": share(rng, 0.7, 1.0) if agreed else None,
                    "gold_correct": 1 if rng.random() < 0.05 else None,
                    "confidence": share(rng, 0.7, 1.0),
                    "created_at": clock.text(
                        world.within(opened + spread(rng, 30, 9_000) * SECOND)
                    ),
                },
            )


def _write_weak_labels(world: World, rng: Random) -> None:
    clock, book = world.clock, world.book
    registered = clock.first + min(HOUR, (clock.last - clock.first) // 2)
    labelers = [f"{kind}_{name}" for kind, name in LABELERS]
    for kind, name in LABELERS:
        book.add(
            "weak_labelers",
            {
                "labeler_id": f"{kind}_{name}",
                "name": name.replace("_", " "),
                "labeler_type": kind,
                "threshold": 0.65,
                "rules_json": '{"patterns": ["down", "timeout"]}' if kind == "rule" else None,
                "active": 1,
                "precision": share(rng, 0.7, 0.95),
                "recall": share(rng, 0.4, 0.9),
                "created_at": clock.text(registered),
                "updated_at": clock.text(registered),
            },
        )
    votes = Serial(rng, "weak_")
    for number, moment in enumerate(world.moments(world.some(20, 1), rng)):
        book.add(
            "weak_predictions",
            {
                "prediction_id": votes(),
                "labeler_id": labelers[number % len(labelers)],
                "item_id": f"item_{number // len(labelers)}",
                "prediction": json.dumps(rng.choice(("ok", "degraded"))),
                "confidence": share(rng, 0.5, 1.0),
                "created_at": clock.text(max(moment, registered)),
            },
        )


def _write_signals(world: World, rng: Random, published: Published) -> None:
    """Queries, reports and experiences follow each published version."""
    clock, book = world.clock, world.book
    for number, (dataset, version, moment) in enumerate(published, 1):
        when = clock.text(world.within(moment + spread(rng, 600, 20_000) * SECOND))
        book.add(
            "active_queries",
            {
                "query_id": f"query_{number:05d}",
                "dataset_id": dataset,
                "version": version,
                "strategy": rng.choice(
                    ("uncertainty", "margin", "entropy", "diversity", "coresets", "hybrid")
                ),
                "batch_size": rng.choice((16, 32, 64)),
                "segment_filters_json": None,
                "min_confidence": None,
                "results_json": json.dumps([f"{dataset}_item_{number}_0"]),
                "query_gain_f1": share(rng, -0.01, 0.06),
                "created_at": when,
            },
        )
        book.add(
            "quality_reports",
            {
                "report_id": f"quality_{number:05d}",
                "dataset_id": dataset,
                "version": version,
                "leakage_flags": int(rng.random() < 0.1),
                "bias_metrics_json": json.dumps({"parity_gap": share(rng, 0, 0.1)}),
                "coverage_ratio": share(rng, 0.8, 1.0),
                "label_agreement": share(rng, 0.75, 0.98),
                "drift_psi": share(rng, 0.01, 0.3),
                "noise_estimate": share(rng, 0.01, 0.1),
                "created_at": when,
            },
        )
        for stage in STAGES:
            book.add(
                "learning_experiences",
                {
                    "exp_id": f"lexp_{number:05d}_{stage}",
                    "stage": stage,
                    "metrics_json": json.dumps({"label_agreement": share(rng, 0.75, 0.98)}),
                    "segment": None,
                    "dataset_id": dataset,
                    "version": version,
                    "created_at": when,
                },
            )
