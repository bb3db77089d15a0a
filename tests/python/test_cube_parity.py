"""The published cube equals its second definition, table by table: over bad input, made-up histories and a real sample.

`make soak` plays more histories, and plays one again: SOAK_SEED, SOAK_HISTORIES, SOAK_REFRESHES, SOAK_ONLY.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cube_oracle.compare import (
    GRAINS,
    TABLES,
    Published,
    assert_parity,
    assert_same,
    compare,
    differences,
)
from cube_oracle.cube import Expected, Oracle
from cube_oracle.histories import Histories
from cube_oracle.rows import benchmark, contract, insert
from cube_oracle.source import ACCEPTED, CLOCKS, Row

from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.settings import Settings

SEED = int(os.environ.get("SOAK_SEED") or 20251114)
HISTORIES = int(os.environ.get("SOAK_HISTORIES") or 220)
REFRESHES = int(os.environ.get("SOAK_REFRESHES") or 5)
ONLY = os.environ.get("SOAK_ONLY")
SAMPLE = Path(__file__).parents[1] / "fixtures" / "grace_sample.sqlite"


def replay(refreshes: int) -> str:
    """How to see a difference again, in all histories or in one of them."""
    again = f"make soak SEED={SEED} HISTORIES={HISTORIES} REFRESHES={REFRESHES}"
    return f"refresh {refreshes} of seed {SEED}; again: {again} (and ONLY=<history> for that history alone)"


# Bad input, row by row.

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
    contract("blank status", status=" ", action_type=""),
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
    contract("lower zone", created_at="2025-11-14T23:30:00z", verified_at="2025-11-14T23:31+00:00"),
    contract("nul \0 inside", action_type="a\0b"),
    contract("huge", actual_effect=json.dumps({"note": "x" * 200_000})),
]  # fmt: skip

FIRST_BENCHMARKS = [
    benchmark("b1", "contract:rolled back", passed=0),
    benchmark("b2", "contract:blank", created_at="2025-11-02 14:00:00"),
    benchmark("b3", "blank", created_at="2025-11-02T16:00:00Z", passed=0, delta_from_baseline='{"latency": 3}'),
    benchmark("b4", "user:alice", delta_from_baseline=None),
    benchmark("b7", "contract:huge", delta_from_baseline='{"latency": NaN, "n": 1}'),
    benchmark("b8", "Contract:huge"),
    benchmark("b5", "contract:mission", delta_from_baseline='{"latency": "slow", "ok": true}'),
]  # fmt: skip


def first_database(template: Path, path: Path) -> Path:
    shutil.copy(template, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in FIRST_LOAD:
            insert(connection, "action_contracts", row)
        for row in FIRST_BENCHMARKS:
            insert(connection, "benchmark_runs", row)
    return path


@dataclass
class Installation:
    """An operational database that is refreshed, and the oracle that watches it."""

    database: Path
    oracle: Oracle
    expected: Expected | None = None

    @property
    def settings(self) -> Settings:
        return Settings(self.database.parent / "home", FileUrl("sqlite", self.database))

    def refresh(self, *, full: bool = False) -> tuple[RefreshReport, Expected]:
        report = refresh(self.settings, Scope(full=full))
        if self.expected is None or report.mode != "probe":
            clock = Published(report.snapshot.snapshot_path).run_clock()
            self.expected = self.oracle.refresh(self.database, clock, full=full)
        return report, self.expected


Step = tuple[RefreshReport, Expected]


def nothing_in(expected: Expected) -> frozenset[str]:
    """The tables that a small database by hand leaves empty."""
    return frozenset(table for table, rows in expected.tables.items() if not rows)


@pytest.fixture(scope="module")
def bad_input(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Installation:
    folder = tmp_path_factory.mktemp("bad_input")
    return Installation(
        first_database(templates / "fresh.sqlite", folder / "operational.sqlite"), Oracle()
    )


@pytest.fixture(scope="module")
def first(bad_input: Installation) -> Step:
    return bad_input.refresh()


@pytest.fixture(scope="module")
def changed(bad_input: Installation, first: Step) -> Step:
    """Every kind of change between two refreshes, none of which moves a clock unless it says so."""
    with closing(sqlite3.connect(bad_input.database)) as connection, connection:
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
        late = contract("late", created_at="2024-02-29 10:00:00", verified_at=None)
        insert(connection, "action_contracts", late)
        insert(connection, "action_contracts", contract("fraction", status="failed"))
        insert(connection, "benchmark_runs", benchmark("b6", "contract:late", passed=0))
    return bad_input.refresh()


def contracts_of(report: RefreshReport) -> tuple[int, int, int]:
    source = next(s for s in report.sources if s.table == "action_contracts")
    return source.inserted, source.updated, source.deleted


def quarantine(report: RefreshReport) -> set[tuple[str, str | None, str, str, bool]]:
    rows = Published(report.snapshot.snapshot_path).rows("cube_quarantine")
    names = ("source_table", "row_key", "column_name", "reason", "is_open")
    return {
        (row[names[0]], row[names[1]], row[names[2]], row[names[3]], row[names[4]]) for row in rows
    }


def test_first_load(first: Step) -> None:
    report, expected = first
    assert contracts_of(report) == (len(FIRST_LOAD), 0, 0)
    assert len(expected.tables["fact_verification_executions"]) == len(FIRST_LOAD)
    assert_same(expected, report.snapshot.snapshot_path, empty=nothing_in(expected))


def test_bad_values_are_in_quarantine(first: Step) -> None:
    assert quarantine(first[0]) == {
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
            ("blank status", "status", "unknown_value"),
            ("broken json", "verification_result", "unreadable"),
            ("no number", "confidence_score", "unreadable"),
            ("infinite", "confidence_score", "unreadable"),
        ]
    }


def test_outliers_do_not_stretch_the_calendar(first: Step) -> None:
    days = first[1].days
    assert (str(days[0]), str(days[-1])) == ("2025-11-02", "2025-11-30")


def test_changes_are_seen_without_a_clock(changed: Step) -> None:
    report, expected = changed
    assert contracts_of(report) == (2, 6, 3)
    assert_same(expected, report.snapshot.snapshot_path, empty=nothing_in(expected))


def test_what_reads_again_is_resolved(changed: Step) -> None:
    found = quarantine(changed[0])
    assert ("action_contracts", "garbage time", "created_at", "unreadable", False) in found
    assert ("action_contracts", "no number", "confidence_score", "unreadable", False) in found
    assert ("action_contracts", "epoch", "created_at", "outside_time_span", True) in found


def test_a_day_that_is_gone_leaves_the_calendar(bad_input: Installation, changed: Step) -> None:
    """The calendar covers what the tables tell of now, whether it was built anew or went on."""
    with closing(sqlite3.connect(bad_input.database)) as connection, connection:
        connection.execute("delete from action_contracts where id = 'late'")
    report, expected = bad_input.refresh()
    assert_same(expected, report.snapshot.snapshot_path, empty=nothing_in(expected))


# Made-up histories.


@dataclass
class Soak:
    """What all refreshes of the made-up histories published, and what they should have."""

    expected: list[Expected]
    snapshots: list[str]
    installation: Installation


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> Soak:
    folder = tmp_path_factory.mktemp("soak")
    database = Path(shutil.copy(templates / "fresh.sqlite", folder / "operational.sqlite"))
    made = Soak([], [], Installation(database, Oracle()))
    numbers = [int(ONLY)] if ONLY else range(1, HISTORIES + 1)
    clocks: list[datetime] = []
    with closing(sqlite3.connect(database)) as connection:
        histories = Histories(connection, SEED, numbers)
        for _ in range(REFRESHES):
            histories.go_on(clocks)
            report, expected = made.installation.refresh()
            # Old snapshots are cleared away by later refreshes.
            kept = shutil.copy(
                report.snapshot.snapshot_path, folder / f"published-{len(clocks)}.duckdb"
            )
            made.snapshots.append(str(kept))
            made.expected.append(expected)
            clocks.append(Published(kept).run_clock())
    return made


@pytest.mark.parametrize("number", range(REFRESHES))
def test_generated_histories(soak: Soak, number: int) -> None:
    expected = soak.expected[number]
    # The first refresh has nothing to look back on, and a single history may have nothing of a kind.
    empty = nothing_in(expected) if ONLY else frozenset()
    assert_same(expected, soak.snapshots[number], replay=replay(number + 1), empty=empty)


def test_every_table_is_there(soak: Soak) -> None:
    """A table that is not there is not compared above."""
    assert Published(soak.snapshots[-1]).tables() == TABLES


def test_histories_tell_of_everything(soak: Soak) -> None:
    """What the rules speak of happens often enough to be compared."""
    last = soak.expected[-1].tables
    if ONLY or HISTORIES < 100:
        pytest.skip("too few histories to meet everything")
    for table, rows in last.items():
        for column in rows[0]:
            values = {row[column] for row in rows}
            flag = (
                values & {True, False}
                if all(v is None or isinstance(v, bool) for v in values)
                else None
            )
            fixed = {
                ("dim_tier", "is_current"),
                ("dim_component", "is_current"),
                ("cube_source_changes", "is_missing"),
                ("kernel_resilience", "is_activation"),
            }
            if flag and (table, column) not in fixed:
                assert flag == {True, False}, f"{table}.{column} is always {values}"
            assert len(values) > 1 or table == "cube_verification_by_tier" or column in CONSTANT, (
                f"{table}.{column}"
            )
    versions = [row["mission_id"] for row in last["dim_mission"]]
    assert len(versions) > 1.2 * len(set(versions)), "missions have no history"
    stamped = {row["mission_key"] for row in last["fact_verification_executions"]}
    assert (
        sum(not row["is_current"] and row["mission_key"] in stamped for row in last["dim_mission"])
        > 5
    )
    errors = last["fact_error_events"]
    assert sum(row["was_resolved"] and row["source"] == "immutable_log" for row in errors) > 20
    assert sum(bool(row["playbook_triggered"]) for row in errors) > 20
    for kind in ("playbook_run", "action_contract", "other"):
        assert sum(row["approval_type"] == kind for row in last["fact_approvals"]) > 10, kind


CONSTANT = {
    "is_missing", "is_current", "effective_from", "effective_to", "relative_error", "run_at", "exact_at", "read_mode",
    "policy_date", "rows_deleted", "reading_type", "policy_id",
}  # fmt: skip


def test_incremental_equals_full(soak: Soak) -> None:
    """Last of all: a full refresh knows nothing of before but the history of the dimensions."""
    report, expected = soak.installation.refresh(full=True)
    full = report.snapshot.snapshot_path
    assert_same(expected, full, replay=replay(REFRESHES + 1), empty=nothing_in(expected))
    one, other = Published(soak.snapshots[-1]), Published(full)
    assert one.tables() == other.tables()
    for table in one.tables() - {"dim_time", "cube_source_changes", "cube_quarantine"}:
        found = differences(table, one.rows(table), other.rows(table))
        assert not found, f"{table}: {found[:3]}\n{replay(REFRESHES)}"
    still_open = [row for row in one.rows("cube_quarantine") if row["is_open"]]
    assert not differences("cube_quarantine", still_open, other.rows("cube_quarantine"))
    counts = ("select count(*), sum(time_key), min(timestamp), max(timestamp) from dim_time",)
    assert [one.query(sql)[1] for sql in counts] == [other.query(sql)[1] for sql in counts]


# A database that a real deployment wrote.


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("real")
    return Installation(Path(shutil.copy(SAMPLE, folder / "operational.sqlite")), Oracle())


def test_real_sample(real: Installation) -> None:
    report, expected = real.refresh()
    assert len(expected.tables["fact_constitutional_compliance"]) == 6
    assert_same(expected, report.snapshot.snapshot_path, empty=nothing_in(expected))
    with closing(sqlite3.connect(real.database)) as connection, connection:
        connection.executescript("""
            update constitutional_compliance set compliant = 0, action_id = 'late' where id = 2;
            delete from constitutional_compliance where id = 3;
            insert into immutable_log
                (id, sequence, actor, action, resource, payload, result, entry_hash, previous_hash, timestamp)
            select
                id + 1000, sequence + 1000, actor, 'error.resolved', resource, '{}', 'resolved', entry_hash || 'x', '0',
                timestamp
            from immutable_log where id % 3 = 0;
        """)
        # The word for the member -1, as the name of something that is there.
        connection.execute(
            "insert into mission_timelines (mission_id, mission_name, started_at, status, rollback_available_count)"
            " values ('unknown', 'Named so', '2025-11-02 14:50:02', 'in_progress', 0)"
        )
        connection.execute(
            "insert into healing_actions (component, result) values ('unknown', 'success')"
        )
        insert(connection, "action_contracts", contract("late", triggered_by="mission:unknown"))
    report, expected = real.refresh()
    assert_same(expected, report.snapshot.snapshot_path, empty=nothing_in(expected))


# The comparison itself.


def another(value: Any) -> Any:
    """Some other value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return "mutated" if value is None else f"{value}~"


@pytest.mark.parametrize("table", sorted(GRAINS))
def test_one_wrong_value_is_seen(soak: Soak, table: str) -> None:
    """In any column of any table; and a row that is missing, doubled or made up."""
    expected = soak.expected[-1].tables[table]
    assert expected
    published = Published(soak.snapshots[-1])
    found = published.rows(table) if table in published.tables() else expected
    before = len(differences(table, expected, found))
    middle = len(found) // 2
    for column in found[middle]:
        mutated = [dict(row) for row in found]
        mutated[middle][column] = another(mutated[middle][column])
        assert len(differences(table, expected, mutated)) > before, f"{table}.{column}"
    for rows in (found[1:], [*found, found[0]], [*found, dict.fromkeys(found[0])]):
        assert len(differences(table, expected, rows)) > before


def test_one_wrong_value_in_the_file_is_seen(soak: Soak, tmp_path: Path) -> None:
    """In one published file, a value of every table; the oracle complains about each of them."""
    copy = Path(shutil.copy(soak.snapshots[-1], tmp_path / "mutated.duckdb"))
    before = {str(d) for d in compare(soak.expected[-1], soak.snapshots[-1])}
    tables = Published(copy).tables()
    with closing(duckdb.connect(str(copy))) as connection:
        for table in tables:
            columns = connection.execute(
                "select column_name from duckdb_columns() where table_name = ? and data_type = 'BIGINT'",
                [table],
            ).fetchall()
            column = columns[-1][0] if columns else "reason"
            change = f"{column} + 1" if columns and table != "cube_quarantine" else "'mutated'"
            column = "reason" if table == "cube_quarantine" else column
            connection.execute(
                f"update {table} set {column} = {change} where rowid = (select min(rowid) from {table}"
                f" where {column} is not null)"
            )
    seen = {d.table for d in compare(soak.expected[-1], copy) if str(d) not in before}
    assert seen == tables


# What the sketches of the cube got wrong, each as the rows that it would publish; the comparison has to see every one.
# Two more leave no trace in a table: bound parameters inside an INTERVAL literal, and one connection over many threads.

Mistake = Callable[[list[Row], list[Row]], list[Row]]


def edit(**changes: Callable[[Row], Any]) -> Mistake:
    return lambda rows, _: [
        {**row, **{name: change(row) for name, change in changes.items()}} for row in rows
    ]


def only(test: Callable[[Row], Any]) -> Mistake:
    return lambda rows, _: [row for row in rows if test(row)]


def _in_days(column: str) -> Mistake:
    return edit(**{column: lambda row: row[column] and row[column] / 86_400})


def _null_for_unknown(column: str) -> Mistake:
    return edit(**{column: lambda row: None if row[column] == -1 else row[column]})


def _by_a_watermark(rows: list[Row], former: list[Row]) -> list[Row]:
    """What was loaded once stays as it was: later verification and rollback change no created_at."""
    known = {row["contract_id"]: row for row in former}
    return [known.get(row["contract_id"], row) for row in rows]


def _one_version(rows: list[Row], _: list[Row]) -> list[Row]:
    return list({row["mission_id"]: row for row in rows}.values())


EXECUTIONS = "fact_verification_executions"
WEEK = timedelta(days=7)
MISTAKES: dict[str, tuple[str, Mistake]] = {
    "a day-grain join fans facts out": (EXECUTIONS, lambda rows, _: [*rows, *rows[:1]]),
    "a day-grain join drops facts": (EXECUTIONS, only(lambda row: row["time_key"] % 10_000 == 0)),
    "an equality join on exact timestamps": (
        EXECUTIONS, only(lambda row: row["created_at"] and not row["created_at"].second)),
    "days called seconds": (EXECUTIONS, _in_days("duration_seconds")),
    "approvals' days called seconds": ("fact_approvals", _in_days("decision_time_seconds")),
    "a watermark at the end of the run": (EXECUTIONS, lambda rows, former: [*former, *rows[len(former) + 1 :]]),
    "a watermark on created_at only": (EXECUTIONS, _by_a_watermark),
    "the first load limited to seven days": (
        EXECUTIONS, only(lambda row: row["created_at"] and row["created_at"] > datetime.now() - WEEK)),
    "LIMIT on loads": (EXECUTIONS, lambda rows, _: rows[:100]),
    "facts inserted again at every run": (EXECUTIONS, lambda rows, _: rows * 2),
    "NULL mission keys": (EXECUTIONS, _null_for_unknown("mission_key")),
    "NULL actor keys": (EXECUTIONS, _null_for_unknown("actor_key")),
    "no component keys": ("fact_healing_actions", edit(component_key=lambda row: None)),
    "unknown tiers dropped": ("cube_verification_by_tier", only(lambda row: row["tier_code"] != "unknown")),
    "unknown tiers filed as tier_1": (EXECUTIONS, edit(tier_code=lambda row: row["tier_code"] or "tier_1")),
    "a OR b AND c": (
        "fact_error_events", only(lambda row: row["error_type"] == "execution_failed" or row["was_resolved"])),
    "success tested where the tracker writes completed": (
        "fact_mission_progress", edit(was_successful=lambda row: row["final_status"] == "success")),
    "approvals never loaded": ("fact_approvals", lambda rows, _: []),
    "security events never loaded": ("fact_error_events", only(lambda row: row["source"] != "security_events")),
    "severity hard-coded": ("fact_error_events", edit(severity=lambda row: "medium")),
    "windows that compare midnight with now": (
        "cube_daily_verification_by_tier", lambda rows, _: sorted(rows, key=lambda row: str(row["year"]))[1:]),
    "a zone that fails the whole load": (EXECUTIONS, lambda rows, _: []),
    "a zone that is dropped": (
        EXECUTIONS, edit(created_at=lambda row: row["created_at"] and row["created_at"] + timedelta(hours=2))),
    "UNIQUE(mission_id) beside SCD2": ("dim_mission", _one_version),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_the_sketches_is_seen(soak: Soak, name: str) -> None:
    table, mistake = MISTAKES[name]
    right, former = soak.expected[-1].tables[table], soak.expected[-2].tables[table]
    assert differences(table, right, mistake(right, former))


def test_an_empty_expectation_proves_nothing(soak: Soak) -> None:
    hollow = Expected({table: [] for table in soak.expected[-1].tables}, soak.expected[-1].days)
    tables = {d.table for d in compare(hollow, soak.snapshots[-1]) if "proves nothing" in str(d)}
    assert tables == Published(soak.snapshots[-1]).tables() - {"dim_time"}


def test_the_declaration_lists_the_same_tables() -> None:
    """The oracle has its own list of tables and of their words; it may not fall behind."""
    from grace_dbt.settings import landed_tables

    assert sorted(CLOCKS) == landed_tables()
    assert {table for table, _ in ACCEPTED} <= CLOCKS.keys()


def test_parity_can_fail(bad_input: Installation, changed: Step, tmp_path: Path) -> None:
    other = Path(shutil.copy(bad_input.database, tmp_path / "other.sqlite"))
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("update action_contracts set status = 'failed' where id = 'blank'")
    with pytest.raises(AssertionError, match="blank"):
        assert_parity(changed[0].snapshot.snapshot_path, other, first=False)
