"""The ingress kernel: sources, raw events, normalized records, curated features."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck, Serial, share, spread
from grace_dbt.simulation.clock import MINUTE, SECOND
from grace_dbt.simulation.world import World

# Name, connector, address, parser, contract, label, PII policy.
SOURCES = (
    ("news_wire", "rss", "https://news.example.org/feed", "html", "article", "public", "mask"),
    ("research_blog", "http", "https://blog.example.org", "html", "article", "public", "mask"),
    ("incident_reports", "s3", "s3://ingress/incidents", "pdf", "article", "internal", "hash"),
    ("support_calls", "s3", "s3://ingress/calls", "audio", "transcript", "restricted", "block"),
    ("town_halls", "http", "https://media.example.org", "video", "transcript", "internal", "mask"),
    ("usage_metrics", "kafka", "kafka://bus/usage", "json", "tabular", "internal", "hash"),
    ("billing_export", "sql", "postgresql://billing/out", "csv", "tabular", "restricted", "hash"),
    (
        *("partner_data", "github", "https://github.com/example/data", "csv", "tabular", "public"),
        "allow_with_consent",
    ),
)
TOPICS = ("autonomy", "governance", "reliability", "safety", "cost", "labor", "energy")
ENTITIES = (("Acme", "organization"), ("Ada Byron", "person"), ("Utrecht", "location"))
STAGES = ("capture", "normalize", "validate", "publish")


def write(world: World) -> None:
    """Write all thirteen tables of the kernel."""
    rng = world.stream("ingress")
    _write_sources(world, rng)
    _write_events(world, rng)
    _write_metrics(world, rng)
    _write_trust(world, rng)
    _write_datasets(world, rng)


def _write_sources(world: World, rng: Random) -> None:
    clock = world.clock
    for source, kind, uri, parser, contract, label, pii in SOURCES:
        registered = clock.text(clock.first + spread(rng, 1, 900) * SECOND)
        world.book.add(
            "sources",
            {
                "source_id": source,
                "kind": kind,
                "uri": uri,
                "auth_mode": "none" if label == "public" else "token",
                "secrets_ref": None if label == "public" else f"vault:grace/{source}",
                "schedule": "*/15 * * * *" if kind != "kafka" else "manual",
                "parser": parser,
                "parser_opts": None if parser != "csv" else '{"delimiter": ";"}',
                "target_contract": contract,
                "retention_days": 365 if label == "public" else 180,
                "pii_policy": pii,
                "governance_label": label,
                "enabled": 1,
                "created_at": registered,
                "updated_at": registered,
            },
        )
        ailing = source == "partner_data"
        checked = clock.last - spread(rng, 5, 600) * SECOND
        world.book.add(
            "source_health",
            {
                "source_id": source,
                "status": "degraded" if ailing else "healthy",
                "last_check": clock.text(checked),
                "latency_ms": spread(rng, 20, 900),
                "backlog": spread(rng, 1, 300) - 1,
                "error_count": 4 if ailing else 0,
                "last_error": "HTTP 503 from upstream" if ailing else None,
                "last_ok": clock.text(
                    max(checked - 40 * MINUTE, clock.first) if ailing else checked
                ),
            },
        )


def _write_events(world: World, rng: Random) -> None:
    """Raw events; nine in ten become records, the others fail validation."""
    clock, book = world.clock, world.book
    events, records = Serial(rng, "evt_"), Serial(rng, "rec_")
    kinds = Deck(rng, {source[0]: 1.0 for source in SOURCES})
    facts = {source[0]: source for source in SOURCES}
    for number, moment in enumerate(world.moments(world.some(30, 3), rng), 1):
        source, _, uri, parser, contract, _, _ = facts[kinds.deal()]
        event = events()
        digest = sha256(event.encode()).hexdigest()
        book.add(
            "bronze_raw_events",
            {
                "id": number,
                "event_id": event,
                "source_id": source,
                "kind": parser,
                "offset": f"{source}:{number}",
                "watermark": clock.text(moment),
                "content_hash": digest,
                "headers": '{"content-type": "application/octet-stream"}',
                "ingestion_ts": clock.text(moment),
                "storage_uri": f"s3://grace-bronze/{source}/{event}",
                "size_bytes": spread(rng, 400, 4_000_000),
            },
        )
        normalized = moment + spread(rng, 1, 240) * SECOND
        if normalized > clock.last:
            continue
        if rng.random() < 0.1 or number == 2:
            _write_failure(world, rng, event, source, normalized)
            continue
        record = records()
        book.add(
            "silver_records",
            {
                "id": book.next_id("silver_records"),
                "record_id": record,
                "contract": contract,
                "source_id": source,
                "raw_event_id": event,
                "source_uri": f"{uri}/{number}",
                "fetched_at": clock.text(moment),
                "parser": parser,
                "content_hash": sha256(record.encode()).hexdigest(),
                "validity_score": share(rng, 0.8, 1.0),
                "completeness": share(rng, 0.7, 1.0),
                "freshness_minutes": share(rng, 0.5, 90),
                "trust_score": share(rng, 0.5, 0.99),
                "pii_flags": '["email"]' if rng.random() < 0.1 else "[]",
                "transforms": '["decode", "deduplicate", "mask", "normalize"]',
                "created_at": clock.text(normalized),
                "storage_uri": f"s3://grace-silver/{contract}/{record}",
            },
        )
        _write_detail(world, rng, contract, record, normalized)


def _write_detail(world: World, rng: Random, contract: str, record: str, moment: int) -> None:
    book, clock = world.book, world.clock
    if contract == "article":
        topics = rng.sample(TOPICS, 2)
        book.add(
            "silver_articles",
            {
                "id": book.next_id("silver_articles"),
                "record_id": record,
                "title": f"On {topics[0]} and {topics[1]}",
                "author": "A. Writer" if rng.random() < 0.8 else None,
                "published_at": clock.text(
                    max(moment - spread(rng, 60, 80_000) * SECOND, clock.first)
                ),
                "url": f"https://news.example.org/{record}",
                "language": "en" if rng.random() < 0.85 else "de",
                "text_uri": f"s3://grace-silver/text/{record}",
                "topics": json.dumps(topics),
                "entities": json.dumps([ENTITIES[0][0]]),
                "embeddings_ref": f"vec:{record}",
            },
        )
        for topic in topics:
            book.add(
                "gold_article_topics",
                {
                    "id": book.next_id("gold_article_topics"),
                    "article_record_id": record,
                    "topic": topic,
                    "weight": share(rng, 0.2, 1.0),
                    "extraction_method": "auto",
                    "created_at": clock.text(moment),
                },
            )
    elif contract == "transcript":
        book.add(
            "silver_transcripts",
            {
                "id": book.next_id("silver_transcripts"),
                "record_id": record,
                "media_id": f"media_{record[4:]}",
                "start_at": clock.text(
                    max(moment - spread(rng, 600, 80_000) * SECOND, clock.first)
                ),
                "duration_s": float(spread(rng, 60, 5_400)),
                "lang": "en",
                "segments_uri": f"s3://grace-silver/segments/{record}",
                "summary": "A conversation about the service" if rng.random() < 0.6 else None,
            },
        )
    else:
        book.add(
            "silver_tabular",
            {
                "id": book.next_id("silver_tabular"),
                "record_id": record,
                "dataset_id": "usage_daily",
                "columns": '{"day": "date", "calls": "integer"}',
                "rows_uri": f"s3://grace-silver/rows/{record}.parquet",
                "row_count": spread(rng, 10, 60_000),
            },
        )
        return
    entity, kind = ENTITIES[int(rng.random() * len(ENTITIES))]
    start = spread(rng, 1, 4_000)
    book.add(
        "gold_entity_mentions",
        {
            "id": book.next_id("gold_entity_mentions"),
            "record_id": record,
            "entity": entity,
            "entity_type": kind,
            "confidence": share(rng, 0.6, 1.0),
            "context": f"as {entity} said",
            "position_start": start,
            "position_end": start + len(entity),
            "created_at": clock.text(moment),
        },
    )


def _write_failure(world: World, rng: Random, event: str, source: str, moment: int) -> None:
    kind = rng.choice(("schema", "pii", "governance", "format"))
    closed = rng.random() < 0.6
    world.book.add(
        "validation_failures",
        {
            "id": world.book.next_id("validation_failures"),
            "record_id": None,
            "raw_event_id": event,
            "source_id": source,
            "policy_type": kind,
            "severity": rng.choice(("info", "warning", "error", "error", "critical")),
            "reasons": f'["{kind} rule violated"]',
            "timestamp": world.clock.text(moment),
            "resolved": int(closed),
            "resolution_notes": "Corrected at the source" if closed else None,
        },
    )


def _write_metrics(world: World, rng: Random) -> None:
    for number, moment in enumerate(world.moments(world.some(40, 2), rng), 1):
        strained = world.rhythm.slot_at(moment).incident is not None
        world.book.add(
            "processing_metrics",
            {
                "id": number,
                "source_id": SOURCES[number % len(SOURCES)][0],
                "stage": STAGES[number // len(SOURCES) % len(STAGES)],
                "timestamp": world.clock.text(moment),
                "throughput_rps": share(rng, 0.5, 40),
                "error_rate": share(rng, 0.05, 0.3) if strained else share(rng, 0.0, 0.04),
                "avg_latency_ms": share(rng, 4, 300),
                "schema_violations": int(rng.random() * 4),
                "pii_incidents": int(rng.random() * 2),
                "dedup_rate": share(rng, 0.0, 0.2),
                "trust_mean": share(rng, 0.6, 0.95),
                "completeness_mean": share(rng, 0.8, 1.0),
            },
        )


def _write_trust(world: World, rng: Random) -> None:
    """Reputation moves a little towards each outcome, and stays between 0 and 1."""
    standing = {source[0]: share(rng, 0.6, 0.9) for source in SOURCES}
    for number, moment in enumerate(world.moments(world.some(16, 1), rng), 1):
        source = SOURCES[number % len(SOURCES)][0]
        outcome = share(rng, 0.2, 1.0)
        old = standing[source]
        standing[source] = round(old + 0.1 * (outcome - old), 4)
        world.book.add(
            "source_trust_history",
            {
                "id": number,
                "source_id": source,
                "old_reputation": old,
                "new_reputation": standing[source],
                "outcome_score": outcome,
                "context": f'{{"items": {spread(rng, 1, 60)}}}',
                "timestamp": world.clock.text(moment),
            },
        )


def _write_datasets(world: World, rng: Random) -> None:
    moments = world.moments(3, rng)
    for number, name in enumerate(("article_features", "call_features", "usage_features"), 1):
        uri = f"s3://grace-gold/{name}"
        world.book.add(
            "gold_feature_datasets",
            {
                "id": number,
                "dataset_name": name,
                "dataset_version": f"1.{number}.0",
                "feature_count": spread(rng, 8, 120),
                "source_contracts": json.dumps([SOURCES[number * 2][4]]),
                "storage_uri": uri,
                "train_split_uri": f"{uri}/train",
                "validation_split_uri": f"{uri}/validation",
                "test_split_uri": f"{uri}/test",
                "metadata": None,
                "created_at": world.clock.text(moments[number - 1]),
                "updated_at": world.clock.text(moments[-1]),
            },
        )
