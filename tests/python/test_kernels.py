"""The marts of the kernels: key metrics worked out by hand, and every reading over a history that changes.

What a mart has to hold is told in plain Python by `cube_oracle.kernels`, of the operational rows alone.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cube_oracle.compare import Published, differences
from cube_oracle.cube import Oracle
from cube_oracle.kernels import KERNELS
from cube_oracle.rows import insert
from test_same_cube import assert_same, rows_of, tables_of

from grace_dbt.dbt_commands import build
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.settings import Settings
from grace_dbt.simulation import simulate

END = datetime(2025, 11, 30, 12, tzinfo=UTC)
WHEN = "2025-11-02 14:50:02"


@dataclass
class Installation:
    """An operational database that is refreshed, and the oracle that watches it."""

    database: Path
    oracle: Oracle = field(default_factory=Oracle)

    @property
    def settings(self) -> Settings:
        return Settings(self.database.parent / "home", FileUrl("sqlite", self.database))

    def change(self, *statements: str) -> None:
        """Write as Grace would, references checked."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("pragma foreign_keys = on")
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, statement

    def refresh(self, *, full: bool = False) -> RefreshReport:
        """Refresh; every mart is what the oracle says, and none is empty."""
        report = refresh(self.settings, Scope(full=full))
        published = Published(report.snapshot.snapshot_path)
        expected = self.oracle.refresh(self.database, published.run_clock(), full=full)
        for mart in sorted(KERNELS):
            assert expected.tables[mart], f"{mart}: an empty oracle proves nothing"
            found = differences(mart, expected.tables[mart], published.rows(mart))
            assert not found, [str(difference) for difference in found[:5]]
        return report

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the snapshot that is published now."""
        newest = max((self.settings.home / "snapshots").glob("snap-*.duckdb"))
        with duckdb.connect(str(newest), read_only=True) as connection:
            return connection.execute(sql).fetchall()


# Rows by hand, of which each metric can be told without a computer.

PARENTS: dict[str, list[dict[str, Any]]] = {
    "sources": [
        {"source_id": "s", "kind": "k", "uri": "u", "parser": "p", "target_contract": "c"},
    ],
    "bronze_raw_events": [
        {"event_id": "e", "source_id": "s", "kind": "k", "offset": "o", "watermark": WHEN, "content_hash": "h",
         "storage_uri": "u", "ingestion_ts": WHEN},
    ],
    "datasets": [{"dataset_id": "d", "task": "nlp", "modality": "text"}],
    "degradation_policies": [
        {"id": "dp", "policy_name": "p", "component_pattern": ".*", "trigger_conditions": "{}",
         "degradation_actions": "[]"},
    ],
}  # fmt: skip


def sample(number: int, at: str | None, rps: Any, errors: Any, latency: Any) -> dict[str, Any]:
    return {"id": number, "source_id": "s", "stage": "capture", "timestamp": at, "throughput_rps": rps,
            "error_rate": errors, "avg_latency_ms": latency}  # fmt: skip


def record(number: int, trust: float) -> dict[str, Any]:
    return {"id": number, "record_id": f"r{number}", "contract": "article", "source_id": "s", "raw_event_id": "e",
            "source_uri": "u", "fetched_at": WHEN, "parser": "p", "content_hash": "h", "transforms": "[]",
            "trust_score": trust, "created_at": WHEN, "storage_uri": "u"}  # fmt: skip


def answer(key: str, **values: Any) -> dict[str, Any]:
    return {"req_id": key, "created_at": "2025-11-02T14:50:04Z", "success": 1, **values}


def access(key: str, hit: Any, milliseconds: Any) -> dict[str, Any]:
    return {"id": key, "key": "k", "access_type": "read", "access_timestamp": WHEN, "cache_hit": hit,
            "response_time_ms": milliseconds, "user_context": "user:alice"}  # fmt: skip


def entry(key: str, size: Any) -> dict[str, Any]:
    return {"entry_id": key, "key": "k", "content": b"\xff\x00secret", "size_bytes": size, "checksum": "c",
            "created_at": WHEN, "updated_at": WHEN}  # fmt: skip


def loop(key: str, runs: Any, average: Any) -> dict[str, Any]:
    return {"loop_id": key, "name": f"{key} loop", "priority": 1, "interval_s": 60, "kernels": "[]", "policies": "[]",
            "created_at": WHEN, "updated_at": WHEN, "run_count": runs, "average_duration": average}  # fmt: skip


def task(key: str, status: str, started: str | None = None, ended: str | None = None) -> dict[str, Any]:  # fmt: skip
    return {"task_id": key, "loop_id": "a", "stage": "act", "inputs": '{"who": "secret"}', "status": status,
            "created_at": WHEN, "started_at": started, "completed_at": ended}  # fmt: skip


def level(key: str, kind: str, value: Any, target: Any) -> dict[str, Any]:
    return {"id": key, "sli_name": "i", "component_name": "database", "measurement_type": kind, "value": value,
            "target_value": target, "measured_at": WHEN}  # fmt: skip


BY_HAND: dict[str, list[dict[str, Any]]] = {
    "processing_metrics": [
        sample(1, WHEN, 10, 0.1, 100),
        sample(2, "2025-11-02T16:50:02+02:00", 30, 0.3, 300),
        sample(3, "yesterday", "fast", "", None),
    ],
    "silver_records": [record(1, 0.25), record(2, 0.75)],
    "intel_requests": [
        {"req_id": key, "task": "ranking", "segment": " trial ", "context_json": '{"who": "secret"}',
         "created_at": WHEN}
        for key in ("q1", "q2", "q3")
    ],
    "intel_results": [
        answer("q1", timing_json='{"total_ms": 200}', outputs_json='{"confidence": 0.9}',
               uncertainties_json='{"calibration": 0.8}', metrics_json='{"fairness_delta": 0.02, "calibration": 0}'),
        answer("q2", timing_json='{"total_ms": 400}', outputs_json='{"confidence": 0.5}',
               metrics_json='{"calibration": 0.6}'),
        answer("q3", timing_json="{broken", outputs_json="", success=0),
    ],
    "intel_specialist_reports": [
        {"report_id": "w1", "req_id": "q1", "specialist_name": "vision", "model_key": "xgb@1.3.2",
         "execution_time_ms": 17, "created_at": WHEN},
    ],
    "intel_policy_violations": [
        {"violation_id": "v1", "req_id": "q1", "violation_type": "fairness_delta", "actual_value": 0.5,
         "created_at": WHEN},
        {"violation_id": "v2", "req_id": "q2", "violation_type": "fairness", "actual_value": 0.1, "created_at": WHEN},
    ],
    "quality_reports": [
        {"report_id": "c1", "dataset_id": "d", "label_agreement": 0.8, "drift_psi": 0.5, "coverage_ratio": 0.5,
         "created_at": WHEN},
        {"report_id": "c2", "dataset_id": "d", "label_agreement": None, "drift_psi": 0, "coverage_ratio": 1,
         "created_at": ""},
    ],
    "memory_access_patterns": [
        access("a1", 1, 1), access("a2", "true", 2), access("a3", 0, 6), access("a4", "maybe", "slow"),
    ],
    "fusion_memory": [entry("f1", 1000), entry("f2", 24), entry("f3", "big")],
    "orchestration_loops": [loop("a", 3, 2.0), loop("b", 1, 6.0), loop("c", 5, 0), loop("d", None, None)],
    "orchestration_tasks": [
        task("t1", "completed", "2025-11-02 14:50:03", "2025-11-02T14:50:05.500Z"),
        task("t2", "failed"), task("t3", "timeout"), task("t4", "running"), task("t5", "cancelled"),
    ],
    "circuit_breakers": [
        {"id": state, "component_name": "database", "state": state, "updated_at": WHEN}
        for state in ("closed", "open", "half_open")
    ],
    "active_degradations": [
        {"id": "g1", "component_name": "database", "policy_id": "dp", "degradation_level": "mild", "started_at": WHEN},
    ],
    "sli_measurements": [
        level("m1", "latency", 301, 300), level("m2", "latency", 300, 300), level("m3", "availability", 0.9, 0.99),
        level("m4", "availability", 1, 0.99), level("m5", "odd", 1, 0), level("m6", "error_rate", "high", 0.02),
    ],
}  # fmt: skip

# Each key metric as SQL over its mart, and what it is: mean, share or number of what is told.
METRICS: dict[str, tuple[str, str, Any]] = {
    "ingress throughput": ("kernel_ingress", "avg(throughput_rps)", 20.0),
    "ingress error_rate": ("kernel_ingress", "avg(error_rate)", 0.2),
    "ingress trust_score": ("kernel_ingress", "avg(trust_score)", 0.5),
    "ingress latency": ("kernel_ingress", "avg(latency_ms)", 200.0),
    "intelligence p95_latency": ("kernel_intelligence", "quantile_disc(latency_ms, 0.95)", 400.0),
    "intelligence confidence": ("kernel_intelligence", "avg(confidence)", 0.7),
    "intelligence calibration": ("kernel_intelligence", "avg(calibration)", 0.7),
    # The violation of q1 is the gap that its answer tells.
    "intelligence fairness_delta": ("kernel_intelligence", "avg(fairness_delta)", 0.06),
    "intelligence response": ("kernel_intelligence", "max(response_seconds)", 2.0),
    "learning label_agreement": ("kernel_learning", "avg(label_agreement)", 0.8),
    "learning drift_psi": ("kernel_learning", "avg(drift_psi)", 0.25),
    "learning coverage_ratio": ("kernel_learning", "avg(coverage_ratio)", 0.75),
    "memory cache_hit_rate": (
        "kernel_memory", "sum(is_cache_hit::int) * 3.0 / count(is_cache_hit)", 2.0,
    ),
    "memory avg_response_time": ("kernel_memory", "avg(response_time_ms)", 3.0),
    "memory storage_size": ("kernel_memory", "sum(size_bytes)", 1024),
    "orchestration loop_execution_time": (
        "kernel_orchestration", "sum(total_loop_seconds) / sum(loop_executions)", 3.0,
    ),
    "orchestration task time": ("kernel_orchestration", "avg(task_execution_seconds)", 2.5),
    "orchestration task_failure_rate": (
        "kernel_orchestration", "sum(has_failed::int) * 1.0 / count(has_failed)", 0.5,
    ),
    "resilience circuit_breaker_trips": ("kernel_resilience", "sum(is_trip::int)", 2),
    "resilience degradation_activations": ("kernel_resilience", "sum(is_activation::int)", 1),
    "resilience sli_violations": ("kernel_resilience", "sum(is_violation::int)", 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Installation:
    folder = tmp_path_factory.mktemp("by_hand")
    made = Installation(
        Path(shutil.copy(templates / "fresh.sqlite", folder / "operational.sqlite"))
    )
    with closing(sqlite3.connect(made.database)) as connection, connection:
        for table, rows in (PARENTS | BY_HAND).items():
            for row in rows:
                insert(connection, table, row)
    made.refresh()
    return made


@pytest.mark.parametrize("metric", METRICS)
def test_a_key_metric_is_what_a_person_works_out(by_hand: Installation, metric: str) -> None:
    mart, sql, value = METRICS[metric]
    [(found,)] = by_hand.ask(f"select {sql} from {mart}")
    assert found == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("mart", sorted(KERNELS))
def test_every_row_is_one_reading(by_hand: Installation, mart: str) -> None:
    """Also where no value of it can be read."""
    counted = dict(
        by_hand.ask(f"select reading_type, count(distinct reading_key) from {mart} group by all")
    )
    assert counted == {table: len(BY_HAND[table]) for table in counted}
    tables = {"kernel_learning": 1, "kernel_intelligence": 3, "kernel_resilience": 3}
    assert len(counted) == tables.get(mart, 2)


def test_what_cannot_be_read_is_in_quarantine(by_hand: Installation) -> None:
    found = by_hand.ask("select source_table, column_name, reason from cube_quarantine")
    assert set(found) >= {
        ("processing_metrics", "timestamp", "unreadable"),
        ("processing_metrics", "throughput_rps", "unreadable"),
        ("intel_results", "timing_json", "unreadable"),
        ("quality_reports", "created_at", "unreadable"),
        ("memory_access_patterns", "cache_hit", "unreadable"),
        ("fusion_memory", "size_bytes", "unreadable"),
        ("sli_measurements", "measurement_type", "unknown_value"),
    }


def test_content_stays_where_it_is(by_hand: Installation) -> None:
    """What was remembered, asked or given to a task is in no file of ours; a change of it is no change."""
    with duckdb.connect(str(by_hand.settings.build_file), read_only=True) as connection:
        columns = set(connection.execute(
            "select table_name, column_name from duckdb_columns() where schema_name = 'landing'"
        ).fetchall())  # fmt: skip
        assert ("land_fusion_memory", "size_bytes") in columns
        assert not columns & {
            ("land_fusion_memory", "content"), ("land_orchestration_tasks", "inputs"),
            ("land_intel_requests", "context_json"), ("land_memory_access_patterns", "user_context"),
        }  # fmt: skip
    assert b"secret" not in by_hand.settings.build_file.read_bytes()
    by_hand.change("update fusion_memory set content = x'00'")
    assert refresh(by_hand.settings).mode == "probe"


# A history that goes on.


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Installation:
    folder = tmp_path_factory.mktemp("history")
    made = Installation(
        Path(shutil.copy(templates / "fresh.sqlite", folder / "operational.sqlite"))
    )
    simulate(made.settings.operational, days=5, contracts=300, rng_seed=3, end=END)
    made.refresh()
    return made


def test_a_simulated_history_has_every_measure(history: Installation) -> None:
    for mart in KERNELS:
        columns = [name for (name,) in history.ask(f"select column_name from (describe {mart})")]
        told = history.ask(f"select {', '.join(f'count({name})' for name in columns)} from {mart}")
        empty = {name for name, number in zip(columns, told[0], strict=True) if not number}
        assert not empty, mart


def test_changes_deletes_and_late_rows_are_followed(history: Installation) -> None:
    """None of them moves a clock; a full refresh then says the same."""
    before = history.ask("select count(*) from kernel_intelligence where task is null")[0][0]
    history.change(
        "update processing_metrics set error_rate = 0.9 where id % 7 = 0",
        "delete from silver_records where id % 5 = 0",
        "insert into processing_metrics (source_id, stage, timestamp, avg_latency_ms)"
        " select source_id, 'late', '2024-02-29T10:00:00Z', 5 from processing_metrics limit 1",
        "update intel_requests set task = 'renamed' where status = 'completed'",
        "update intel_results set metrics_json = '{}' where rowid % 3 = 0",
        "delete from intel_specialist_reports where rowid % 2 = 0",
        "update orchestration_loops set name = 'renamed loop', run_count = run_count + 1",
        "update orchestration_tasks set status = 'failed' where status = 'running'",
        "delete from active_degradations where rowid = (select min(rowid) from active_degradations)",
        "update circuit_breakers set state = 'half_open' where state = 'closed'",
        "update sli_measurements set target_value = value",
        "delete from fusion_memory where rowid % 4 = 0",
        "update memory_access_patterns set cache_hit = 1 - cache_hit",
        "update quality_reports set drift_psi = null where rowid = 1",
    )
    assert history.refresh().mode != "probe"
    assert before == 0
    assert history.ask("select sum(is_violation::int) from kernel_resilience") == [(0,)]
    assert history.ask("select count(*) from kernel_ingress where stage = 'late'") == [(1,)]
    names = "select distinct loop_name from kernel_orchestration"
    assert history.ask(names) == [("renamed loop",)]
    history.refresh(full=True)


def test_a_request_that_is_told_late_is_found_by_its_readings(history: Installation) -> None:
    history.change(
        "insert into intel_specialist_reports (report_id, req_id, specialist_name, created_at)"
        " values ('early', null, 'vision', '2025-11-30 10:00:00')",
    )
    history.refresh()
    history.change(
        "insert into intel_requests (req_id, task, context_json, created_at)"
        " values ('late', 'ranking', '{}', '2025-11-30 09:59:00')",
        "update intel_specialist_reports set req_id = 'late' where report_id = 'early'",
    )
    history.refresh()
    told = "select task, request_id from kernel_intelligence where reading_id = 'early'"
    assert history.ask(told) == [("ranking", "late")]


def test_the_sqlite_target_builds_the_same(history: Installation) -> None:
    chosen = [
        *("--select", "+path:models/kernels"),
        *("--exclude", "resource_type:test", "resource_type:unit_test"),
    ]
    outcome = build(history.settings, chosen, target="sqlite", quiet=True)
    assert outcome.success, outcome.errors
    snapshot = str(max((history.settings.home / "snapshots").glob("snap-*.duckdb")))
    with (
        closing(sqlite3.connect(history.settings.home / "build.sqlite")) as lite,
        duckdb.connect(snapshot, read_only=True) as duck,
    ):
        tables = {name: cols for name, cols in tables_of(snapshot).items() if name in KERNELS}
        assert tables.keys() == KERNELS
        for mart, columns in tables.items():
            assert_same(rows_of(lite, mart, columns), rows_of(duck, mart, columns), mart)
