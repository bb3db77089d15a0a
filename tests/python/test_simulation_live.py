"""The live writer, checked from outside: what it leaves is coherent, whoever else writes, and however it ends."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from conftest import ENGINES, GraceCli
from places import Place

from grace_dbt.errors import GraceError
from grace_dbt.operational.sqlite import SQLiteBackend
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.simulation import simulate
from grace_dbt.simulation.live import LiveReport, simulate_live
from grace_dbt.simulation.live import writer as writing

ROWS = 1_200
FAST = 50_000.0  # rows a second: as fast as it goes
REFERENCES = (
    ("playbook_runs", "approval_request_id", "approval_requests", "id"),
    ("playbook_step_runs", "run_id", "playbook_runs", "id"),
    ("shard_heartbeats", "current_task_id", "execution_tasks", "task_id"),
    ("safe_hold_snapshots", "action_contract_id", "action_contracts", "id"),
    ("governance_votes", "session_id", "approval_requests", "id"),
)
SETTLED = ("verified", "partial_success", "failed", "rolled_back")

NewPlace = Callable[[str], Place]
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def unsafe_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls the plug of a test: it need not wait for the disk."""
    patience = (*writing.IMPATIENCE["sqlite"], "pragma synchronous = off")
    monkeypatch.setitem(writing.IMPATIENCE, "sqlite", patience)


def write(place: Place, rows: int = ROWS, seed: int = 3, **more: Any) -> LiveReport:
    arguments: dict[str, Any] = {
        "rate": FAST,
        "rows": rows,
        "rng_seed": seed,
        "stop": Event(),
        **more,
    }
    return simulate_live(OperationalUrl.parse(place.url), **arguments)


def read(place: Place, table: str, columns: str) -> Rows:
    """Rows with their values as text, as every driver gives them."""
    text = "char" if place.dialect == "mariadb" else "varchar"
    mark = place.mark
    cast = ", ".join(f"cast({mark}{name}{mark} as {text})" for name in columns.split())
    found = place.run(f"select {cast} from {table}")
    return [dict(zip(columns.split(), row, strict=True)) for row in found]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def assert_one_log(place: Place, expected: int) -> None:
    """The immutable log by its published format."""
    fields = "sequence actor action resource payload result previous_hash entry_hash"
    rows, previous = read(place, "immutable_log", fields), "0" * 64
    rows.sort(key=lambda row: int(row["sequence"]))
    assert len(rows) == expected
    for number, row in enumerate(rows, 1):
        sealed = ":".join(str(row[field]) for field in fields.split()[:-1])
        assert (row["sequence"], row["previous_hash"]) == (str(number), previous)
        assert row["entry_hash"] == hashlib.sha256(sealed.encode()).hexdigest()
        previous = row["entry_hash"]


def assert_one_segment(place: Place, expected: int) -> None:
    """The audit log by its published format."""
    fields = "entry_id category data_json transparency_level timestamp hash previous_hash chain_hash chain_position"
    rows, previous = read(place, "audit_logs", fields), "genesis"
    rows.sort(key=lambda row: int(row["chain_position"]))
    assert len(rows) == expected
    for position, row in enumerate(rows):
        content = {
            name: row[name] for name in ("entry_id", "category", "timestamp", "transparency_level")
        }
        content["data"] = json.loads(row["data_json"])
        entry = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        seal = hashlib.sha256(f"{entry}:{previous}:{position}".encode()).hexdigest()
        assert (row["hash"], row["chain_hash"]) == (entry, seal)
        assert (row["previous_hash"], row["chain_position"]) == (previous, str(position))
        previous = seal
    assert all(a["timestamp"] <= b["timestamp"] for a, b in pairwise(rows))
    counted = place.run("select sum(entry_count) from log_categories")[0][0]
    assert int(counted) == expected


def assert_coherent(place: Place) -> None:
    """What has to hold of rows beside each other."""
    for child, column, parent, key in REFERENCES:
        orphans = (
            f"select count(*) from {child} where {column} is not null"
            f" and {column} not in (select {key} from {parent})"
        )
        assert place.run(orphans) == [(0,)], orphans
    for row in read(
        place,
        "action_contracts",
        "id status created_at executed_at verified_at verification_result",
    ):
        times = [
            moment(row[name]) for name in ("created_at", "executed_at", "verified_at") if row[name]
        ]
        assert times == sorted(times)
        assert (row["verified_at"] is not None) == (row["status"] in SETTLED), row
        assert (row["verification_result"] is not None) == (row["status"] in SETTLED), row
    for row in read(place, "approval_requests", "status decision_by decided_at"):
        assert (
            (row["status"] == "pending")
            == (row["decided_at"] is None)
            == (row["decision_by"] is None)
        )
    for row in read(place, "security_events", "status resolved_at"):
        assert (row["status"] == "open") == (row["resolved_at"] is None)
    worked = dict(
        place.run(
            "select triggered_by, count(*) from action_contracts where triggered_by like 'mission:mission-%-%-%-%'"
            " group by triggered_by"
        )
    )
    for row in read(
        place,
        "mission_timelines",
        "mission_id status completed_at completed_actions failed_actions",
    ):
        done = int(row["completed_actions"]) + int(row["failed_actions"])
        assert (row["completed_at"] is not None) == (row["status"] in ("completed", "failed"))
        if f"mission:{row['mission_id']}" in worked:
            assert done <= worked[f"mission:{row['mission_id']}"]


@pytest.mark.parametrize("dialect", ENGINES)
def test_rows_are_coherent_on_every_engine_beside_a_history(
    dialect: str, fresh_place: NewPlace
) -> None:
    place, rows = fresh_place(dialect), ROWS // 3 if dialect == "duckdb" else ROWS
    url = OperationalUrl.parse(place.url)
    before = simulate(url, days=3, contracts=100, rng_seed=3, end=datetime.now(UTC))
    committed: list[tuple[str, object]] = []
    report = write(place, rows, on_commit=lambda table, key, at: committed.append((table, key)))
    assert report.rows == rows == len(committed)
    for table, count in report.inserted.items():
        assert place.run(f"select count(*) from {table}") == [(before.get(table, 0) + count,)]
    assert report.inserted["action_contracts"] > 20
    assert sum(report.updated.values()) > rows // 4
    assert_coherent(place)
    assert_one_log(place, before["immutable_log"] + report.inserted["immutable_log"])
    assert_one_segment(place, before.get("audit_logs", 0) + report.inserted.get("audit_logs", 0))
    if dialect == "sqlite":
        assert place.run("pragma foreign_key_check") == []


def test_everything_changes_as_grace_changes_it(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    report = write(place, 3_000, updates=0.6)
    statuses = {row["status"] for row in read(place, "action_contracts", "status")}
    assert statuses == {"pending", "executing", *SETTLED}
    assert {row["status"] for row in read(place, "approval_requests", "status")} >= {
        "approved",
        "rejected",
    }
    assert {row["status"] for row in read(place, "mission_timelines", "status")} >= {
        "completed",
        "in_progress",
    }
    undone = "select count(*) from action_contracts where status = 'rolled_back' and confidence_score > 0.8"
    assert place.run(undone) != [(0,)], "none was rolled back after its verification"
    assert set(report.updated) >= {
        "action_contracts",
        "mission_timelines",
        "approval_requests",
        "playbook_runs",
    }
    assert_coherent(place)


def test_late_rows_are_minutes_to_hours_old_when_they_come(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    report = write(place, 600, late=0.5)
    [(now,)] = place.run("select strftime('%Y-%m-%d %H:%M:%f', 'now')")
    ages = [
        moment(now) - moment(row["created_at"])
        for row in read(place, "action_contracts", "created_at")
    ]
    late = [age for age in ages if age >= timedelta(seconds=59)]
    assert 0.3 < len(late) / len(ages) < 0.7
    assert max(late) < timedelta(hours=9)
    assert report.late > len(late)
    assert_coherent(place)
    prompt = fresh_place("sqlite")
    assert write(prompt, 300, late=0).late == 0


def test_the_seed_decides_what_happens(fresh_place: NewPlace) -> None:
    def told(seed: int) -> tuple[dict[str, int], dict[str, int], Rows]:
        place = fresh_place("sqlite")
        report = write(place, 500, seed)
        rows = read(place, "action_contracts", "action_type tier status confidence_score")
        return report.inserted, report.updated, rows

    assert told(1) == told(1) != told(2)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_two_writers_lose_and_double_nothing(dialect: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: write(place, 500), range(2)))
    inserted: dict[str, int] = {}
    for report in reports:
        for table, count in report.inserted.items():
            inserted[table] = inserted.get(table, 0) + count
    for table, count in inserted.items():
        assert place.run(f"select count(*) from {table}") == [(count,)], table
    assert_coherent(place)
    assert_one_log(place, inserted["immutable_log"])
    assert_one_segment(place, inserted["audit_logs"])


def test_a_lock_is_waited_for_counted_and_bounded(
    fresh_place: NewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(writing.IMPATIENCE, "sqlite", ("pragma busy_timeout = 10",))
    place = fresh_place("sqlite")
    assert place.path
    holder = sqlite3.connect(place.path, isolation_level=None)
    in_the_way = SQLiteBackend.was_in_the_way

    def released(backend: SQLiteBackend, error: GraceError) -> bool:
        if holder.in_transaction:
            holder.execute("commit")
        return in_the_way(backend, error)

    holder.execute("begin immediate")
    with monkeypatch.context() as patched:
        patched.setattr(SQLiteBackend, "was_in_the_way", released)
        report = write(place, 5)
    assert (report.rows, report.retries) == (5, 1)
    holder.execute("begin immediate")
    with pytest.raises(GraceError) as caught:
        write(place, 5)
    holder.close()
    assert caught.value.exit_code == 3
    assert "locked" in caught.value.message
    assert f"{writing.MOST_TRIES - 1} transactions were begun again" in caught.value.hint
    assert "0 rows" in caught.value.hint


def test_sigterm_ends_with_a_report_of_all_that_was_committed(
    grace_cli: GraceCli, templates: Path
) -> None:
    file = grace_cli.home / "operational.sqlite"
    shutil.copy(templates / "fresh.sqlite", file)
    process = grace_cli.start("simulate", "--live", "--rate", "200", "--json")
    contracts = "select count(*) from action_contracts"
    with sqlite3.connect(file, timeout=60) as connection:
        deadline = time.monotonic() + 60
        while connection.execute(contracts).fetchone()[0] < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        report = json.loads(output)
        assert (
            report["inserted"]["action_contracts"]
            == connection.execute(contracts).fetchone()[0]
            >= 5
        )
    connection.close()
    assert report["commit_p95_ms"] >= report["commit_p50_ms"] > 0
    assert report["achieved_rate"] > 0
    assert "rows/s of 200 asked for" in errors


def test_the_command_writes_as_many_rows_as_it_was_told(
    grace_cli: GraceCli, templates: Path
) -> None:
    shutil.copy(templates / "fresh.sqlite", grace_cli.home / "operational.sqlite")
    done = grace_cli.run("simulate", "--live", "--rate", "5000", "--rows", "40")
    assert done.returncode == 0, done.stderr
    assert "Wrote 40 rows in" in done.stderr
    wrong = grace_cli.run("simulate", "--live", "--days", "3")
    assert (wrong.returncode, "--days says nothing with --live" in wrong.stderr) == (2, True)
    wrong = grace_cli.run("simulate", "--rate", "3")
    assert (wrong.returncode, "--rate says nothing without --live" in wrong.stderr) == (2, True)


def test_seconds_end_it(fresh_place: NewPlace) -> None:
    report = write(fresh_place("sqlite"), rows=None, rate=20, seconds=0.4)  # type: ignore[arg-type]
    assert 1 <= report.rows <= 9


@pytest.mark.parametrize("arguments", [{"rate": 0}, {"updates": 1.1}, {"late": -1}])
def test_refuses_bad_arguments(fresh_place: NewPlace, arguments: dict[str, Any]) -> None:
    with pytest.raises(GraceError) as caught:
        write(fresh_place("sqlite"), **arguments)
    assert caught.value.exit_code == 2


def test_refuses_missing_tables(new_place: NewPlace) -> None:
    place = new_place("sqlite")
    place.run("create table t (x integer)")
    with pytest.raises(GraceError) as caught:
        write(place)
    assert caught.value.hint == f"Create the tables first: grace-dbt init --db {place.shown}"


def test_memory_does_not_grow_with_time(fresh_place: NewPlace) -> None:
    """A hundred times the rows of its open stories: what is kept must not follow."""
    place = fresh_place("sqlite")
    code = (
        "import sys, tracemalloc; from threading import Event; from grace_dbt.operational.url import OperationalUrl;"
        " from grace_dbt.simulation.live import simulate_live; kept = [];"
        "from grace_dbt.simulation.live import writer; writer.IMPATIENCE['sqlite'] = ('pragma synchronous = off',);"
        "tracemalloc.start();"
        "simulate_live(OperationalUrl.parse(sys.argv[1]), rate=1e5, rows=4000, updates=0.5, rng_seed=1, stop=Event(),"
        " progress=lambda rows: kept.append((rows, tracemalloc.get_traced_memory()[0])));"
        "print(*[size for rows, size in kept if rows in (2000, 4000)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, place.url], capture_output=True, text=True, check=True
    )
    half, whole = map(int, done.stdout.split())
    assert whole < half + 300_000
