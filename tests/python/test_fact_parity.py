"""The published fact equals the plain-Python oracle: after the first load, after every kind of change, and in full."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from verification_oracle import Fact, expected_facts

from grace_dbt.refresh import RefreshReport, refresh
from grace_dbt.settings import Settings

PUBLISHED = """
    select
        f.contract_id, t.timestamp as minute, tier.tier_code, a.actor_id, a.actor_type, f.mission_key, f.component_key,
        f.action_type, f.playbook_id, f.duration_seconds, f.confidence_score, f.drift_score, f.was_successful,
        f.was_rolled_back, f.created_snapshot, f.passed_benchmark, f.contract_status, f.error_message, f.created_at
    from fact_verification_executions f
    join dim_time t using (time_key)
    join dim_tier tier using (tier_key)
    join dim_actor a using (actor_key)
"""


def published_facts(snapshot: str) -> dict[str, Fact]:
    with duckdb.connect(snapshot, read_only=True) as connection:
        cursor = connection.execute(PUBLISHED)
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["actor"] = (row.pop("actor_id"), row.pop("actor_type"))
    facts = {row.pop("contract_id"): row for row in rows}
    assert len(facts) == len(rows), "a fact stands twice"
    return facts


def assert_parity(snapshot: str, database: Path) -> None:
    expected, found = expected_facts(database), published_facts(snapshot)
    assert expected, "an empty oracle proves nothing"
    assert found.keys() == expected.keys()
    for contract, fact in expected.items():
        assert found[contract] == fact, contract


def quarantine(snapshot: str) -> set[tuple[str, str | None, str, str, bool]]:
    with duckdb.connect(snapshot, read_only=True) as connection:
        rows = connection.execute(
            "select source_table, row_key, column_name, reason, resolved_at is null from cube_quarantine"
        ).fetchall()
    return {(str(t), k, str(c), str(r), bool(o)) for t, k, c, r, o in rows}


def contract(key: str, **values: Any) -> dict[str, Any]:
    row = {
        "id": key, "action_type": "restart_service", "expected_effect_hash": "0" * 64, "expected_effect": "{}",
        "baseline_state": "{}", "status": "verified", "created_at": "2025-11-02 14:50:02", "tier": "tier_1",
        "verified_at": "2025-11-02 14:50:32", "triggered_by": "user:alice", "confidence_score": 0.9,
    }  # fmt: skip
    return row | values


def benchmark(run: str, by: str, **values: Any) -> dict[str, Any]:
    row = {
        "run_id": run, "triggered_by": by, "benchmark_type": "smoke", "results": "{}", "metrics": "{}", "passed": 1,
        "duration_seconds": 1.0, "created_at": "2025-11-02 15:00:00",
        "delta_from_baseline": '{"latency": -0.25, "n": 0.1}',
    }  # fmt: skip
    return row | values


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


FIRST_LOAD = [
    contract("blank", created_at="2025-11-02 14:50:02"),
    contract("fraction", created_at="2025-11-14 11:10:10.357176", verified_at="2025-11-14 11:10:11.357177"),
    contract("with T", created_at="2025-11-14T11:10:10.5", verified_at="2025-11-14T11:10:12"),
    contract("zulu", created_at="2025-11-14T23:30:00Z", verified_at="2025-11-14T23:30:00.000001Z"),
    contract("offset", created_at="2025-11-15T00:30:00+02:00", verified_at="2025-11-14T22:31:00Z"),
    contract("offset without colon", created_at="2025-11-14 05:00:00-0530", verified_at=None, status="executing"),
    contract("date only", created_at="2025-11-14", verified_at=None, status="pending"),
    contract("empty time", created_at="", status="failed"),
    contract("garbage time", created_at="yesterday"),
    contract("impossible day", created_at="2025-02-30 10:00:00"),
    contract("epoch", created_at="1970-01-01 00:00:00"),
    contract("far future", created_at="2099-01-01 00:00:00"),
    contract("midnight", created_at="2025-11-30 23:59:59.999999", verified_at="2025-12-01 00:00:00"),
    contract("unknown tier", tier="tier_9"),
    contract("blank tier", tier="  "),
    contract("no tier", tier=None),
    contract("unknown status", status="exploded"),
    contract("rolled back", status="rolled_back", tier="tier_2", safe_hold_snapshot_id="s1",
             verification_result=json.dumps({"error": "errors rose; see 'log'"})),
    contract("broken json", status="failed", verification_result="{not json", actual_effect='{"error": "disk"}'),
    contract("partial", status="partial_success", confidence_score=0.1 + 0.2),
    contract("many digits", confidence_score=0.12345678901234568),
    contract("no number", confidence_score="high"),
    contract("infinite", confidence_score=float("inf")),
    contract("backwards", created_at="2025-11-02 12:00:00", verified_at="2025-11-02 11:59:59.5"),
    contract("ünïcödé 🦆 'quoted' \"twice\"", triggered_by="agent:shard_3", action_type="größe ändern"),
    contract("key "), contract("key"),
    contract("sentinel", triggered_by="input_sentinel:err_123"),
    contract("cognition", triggered_by="cognition:plan:with:colons"),
    contract("mission", triggered_by="mission:m1", playbook_id="pb"),
    contract("upper", triggered_by="User:Alice"),
    contract("free text", triggered_by="the operator pressed the button"),
    contract("strange prefix", triggered_by="robot:r2"),
    contract("nobody", triggered_by=None),
    contract("unknown", triggered_by="unknown"),
    contract("bare component", triggered_by="hunter"), contract("with its alert", triggered_by="hunter:alert_9"),
    contract("no break space", tier="tier_1\u00a0"),
    contract("lower zone", created_at="2025-11-14t23:30:00z".replace("t", "T"), verified_at="2025-11-14T23:31+00:00"),
    contract("nul \0 inside", action_type="a\0b"),
    contract("huge", actual_effect=json.dumps({"note": "x" * 200_000})),
]  # fmt: skip

FIRST_BENCHMARKS = [
    benchmark("b1", "contract:rolled back", passed=0),
    benchmark("b2", "contract:blank", created_at="2025-11-02 14:00:00"),
    benchmark(
        "b3",
        "blank",
        created_at="2025-11-02T16:00:00Z",
        passed=0,
        delta_from_baseline='{"latency": 3}',
    ),
    benchmark("b4", "user:alice", delta_from_baseline=None),
    benchmark("b7", "contract:huge", delta_from_baseline='{"latency": NaN, "n": 1}'),
    benchmark("b8", "Contract:huge"),
    benchmark("b5", "contract:mission", delta_from_baseline='{"latency": "slow", "ok": true}'),
]


def first_database(template: Path, path: Path) -> Path:
    shutil.copy(template, path)
    with sqlite3.connect(path) as connection:
        for row in FIRST_LOAD:
            insert(connection, "action_contracts", row)
        for row in FIRST_BENCHMARKS:
            insert(connection, "benchmark_runs", row)
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Path:
    return first_database(
        templates / "fresh.sqlite", tmp_path_factory.mktemp("parity") / "operational.sqlite"
    )


@pytest.fixture(scope="module")
def settings(database: Path) -> Settings:
    from grace_dbt.operational.url import FileUrl

    return Settings(database.parent / "home", FileUrl("sqlite", database))


@pytest.fixture(scope="module")
def first(settings: Settings) -> RefreshReport:
    return refresh(settings)


@pytest.fixture(scope="module")
def changed(settings: Settings, database: Path, first: RefreshReport) -> RefreshReport:
    """Every kind of change between two refreshes, none of which moves a clock unless it says so."""
    with sqlite3.connect(database) as connection:
        connection.executescript("""
            update action_contracts set status = 'rolled_back' where id = 'zulu';
            update action_contracts set tier = 'tier_3' where id = 'unknown tier';
            update action_contracts set created_at = '2025-11-03 08:00:00' where id = 'garbage time';
            update action_contracts set triggered_by = 'system:scheduler' where id = 'nobody';
            update action_contracts set id = 'renamed' where id = 'upper';
            update action_contracts set triggered_by = 'unknown' where id = 'free text';
            delete from action_contracts where id in ('fraction', 'key ', 'no number');
            update benchmark_runs set triggered_by = 'contract:key' where run_id = 'b3';
            delete from benchmark_runs where run_id = 'b1';
        """)
        insert(
            connection,
            "action_contracts",
            contract("late", created_at="2024-02-29 10:00:00", verified_at=None),
        )
        insert(connection, "action_contracts", contract("fraction", status="failed"))
        insert(connection, "benchmark_runs", benchmark("b6", "contract:late", passed=0))
    return refresh(settings)


def test_first_load(first: RefreshReport, database: Path) -> None:
    contracts = next(s for s in first.sources if s.table == "action_contracts")
    assert (contracts.read, contracts.inserted, contracts.updated, contracts.deleted) == (
        len(FIRST_LOAD),
    ) * 2 + (0, 0)


def test_first_load_equals_the_oracle(
    tmp_path: Path, templates: Path, first: RefreshReport
) -> None:
    as_it_was = first_database(templates / "fresh.sqlite", tmp_path / "as_it_was.sqlite")
    assert_parity(first.snapshot.snapshot_path, as_it_was)


def test_bad_values_are_in_quarantine(first: RefreshReport) -> None:
    assert quarantine(first.snapshot.snapshot_path) == {
        ("benchmark_runs", "5", "delta_from_baseline", "unreadable", True)
    } | {
        ("action_contracts", key, column, reason, True)
        for key, column, reason in [
            ("empty time", "created_at", "unreadable"),
            ("garbage time", "created_at", "unreadable"),
            ("impossible day", "created_at", "unreadable"),
            ("epoch", "created_at", "outside_time_span"),
            ("far future", "created_at", "outside_time_span"),
            ("unknown tier", "tier", "unknown_value"),
            ("no break space", "tier", "unknown_value"),
            ("blank tier", "tier", "unknown_value"),
            ("unknown status", "status", "unknown_value"),
            ("broken json", "verification_result", "unreadable"),
            ("no number", "confidence_score", "unreadable"),
            ("infinite", "confidence_score", "unreadable"),
        ]
    }


def test_outliers_do_not_stretch_the_calendar(first: RefreshReport) -> None:
    with duckdb.connect(first.snapshot.snapshot_path, read_only=True) as connection:
        bounds = connection.execute(
            "select min(timestamp), max(timestamp), count(*) from dim_time"
        ).fetchall()[0]
    assert (str(bounds[0]), str(bounds[1])) == ("2025-11-02 00:00:00", "2025-11-30 23:59:00")
    assert bounds[2] == 29 * 1440 + 1


def test_changes_are_seen_without_a_clock(changed: RefreshReport, database: Path) -> None:
    assert_parity(changed.snapshot.snapshot_path, database)
    contracts = next(s for s in changed.sources if s.table == "action_contracts")
    assert (contracts.inserted, contracts.updated, contracts.deleted) == (2, 6, 3)


def test_what_reads_again_is_resolved(changed: RefreshReport) -> None:
    findings = quarantine(changed.snapshot.snapshot_path)
    assert ("action_contracts", "garbage time", "created_at", "unreadable", False) in findings
    assert ("action_contracts", "no number", "confidence_score", "unreadable", False) in findings
    assert ("action_contracts", "epoch", "created_at", "outside_time_span", True) in findings


def test_incremental_equals_full(
    changed: RefreshReport, settings: Settings, database: Path
) -> None:
    full = refresh(settings, full=True)
    assert_parity(full.snapshot.snapshot_path, database)
    tables = sorted(full.snapshot.rows)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{changed.snapshot.snapshot_path}' as incremental (read_only)")
        connection.execute(f"attach '{full.snapshot.snapshot_path}' as whole (read_only)")
        for table in (
            "dim_actor",
            "dim_tier",
            "fact_verification_executions",
            "cube_verification_by_tier",
        ):
            assert table in tables
            differing = connection.execute(
                f"select count(*) from (from incremental.{table} except all from whole.{table})"
            ).fetchall()
            assert differing == [(0,)], table


def test_the_comparison_can_fail(changed: RefreshReport, database: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(database.read_bytes())
    with sqlite3.connect(other) as connection:
        connection.execute("update action_contracts set status = 'failed' where id = 'blank'")
    with pytest.raises(AssertionError, match="blank"):
        assert_parity(changed.snapshot.snapshot_path, other)
