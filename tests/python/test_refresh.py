"""What a refresh does, and what it need not do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ENGINES, GraceCli, prepare
from cube_oracle.compare import assert_parity
from cube_oracle.rows import benchmark, contract, insert
from places import Place

from grace_dbt import probing
from grace_dbt import refresh as refreshing
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.attach import attach_operational
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.probing import probe
from grace_dbt.publishing import current
from grace_dbt.refresh import Scope, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.runs import RunLog
from grace_dbt.settings import Settings

MISSION = {
    "mission_id": "m1", "mission_name": "Upgrade", "status": "in_progress", "started_at": "2025-11-02 10:00:00",
}  # fmt: skip


class Installation:
    """A SQLite database with a few rows that has been refreshed once."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "operational.sqlite"
        self.settings = Settings(folder / "home", FileUrl("sqlite", self.database))

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            for sql in statements:
                connection.execute(sql)

    def add(self, key: str, **values: Any) -> None:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            insert(connection, "action_contracts", contract(key, **values))

    def refresh(self, scope: Scope | None = None) -> RefreshReport:
        return refresh(self.settings, scope)

    def facts(self) -> list[tuple[Any, ...]]:
        return self.published(
            "select contract_id, contract_status from fact_verification_executions order by 1"
        )

    def published(self, sql: str) -> list[tuple[Any, ...]]:
        snapshot = current(self.settings)
        assert snapshot is not None
        with duckdb.connect(snapshot.snapshot_path, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def build(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with duckdb.connect(str(self.settings.build_file)) as connection:
            for sql in statements:
                rows = connection.execute(sql).fetchall()
        return rows


@pytest.fixture(scope="module")
def first_day(
    templates: Path, planned_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an installation after its first refresh."""
    folder = tmp_path_factory.mktemp("first_day")
    made = Installation(folder)
    prepare(made.settings.home, planned_home)
    shutil.copy(templates / "fresh.sqlite", made.database)
    with closing(sqlite3.connect(made.database)) as connection, connection:
        insert(connection, "mission_timelines", MISSION)
        for key in ("a", "b", "c"):
            insert(connection, "action_contracts", contract(key))
        insert(connection, "benchmark_runs", benchmark("r1", "contract:a"))
    report = made.refresh()
    assert report.mode == "complete"
    return folder


@pytest.fixture
def installation(first_day: Path, tmp_path: Path) -> Installation:
    """A copy of it, which takes itself for the one that was refreshed."""
    folder = Path(shutil.copytree(first_day, tmp_path / "day"))
    state = folder / "home" / "build.json"
    state.write_text(state.read_text().replace(str(first_day), str(folder)))
    return Installation(folder)


@pytest.fixture
def dbt_runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The dbt commands that were run, and the models that each of them ran."""
    seen: list[list[str]] = []

    def watched(command: Any, *arguments: Any, **options: Any) -> Any:
        outcome = run_dbt(command, *arguments, **options)
        seen.append([command[0], *(str(node.node.name) for node in outcome.nodes)])
        return outcome

    monkeypatch.setattr(refreshing, "run_dbt", watched)
    return seen


def test_nothing_changed_runs_no_dbt(installation: Installation, dbt_runs: list[list[str]]) -> None:
    before = current(installation.settings)
    first, second = installation.refresh(), installation.refresh()
    assert (first.mode, second.mode) == ("probe", "probe")
    assert first.snapshot == second.snapshot == before
    assert dbt_runs == []
    assert sum(source.inserted for source in first.sources) == 0
    assert {source.table: source.read for source in first.sources if source.read} == {
        "action_contracts": 3,
        "benchmark_runs": 1,
        "mission_timelines": 1,
    }


def test_rows_written_as_they_were_are_no_change(
    installation: Installation, dbt_runs: list[list[str]]
) -> None:
    """The file is another one, its rows are not."""
    installation.run("update action_contracts set status = status")
    assert installation.refresh().mode == "probe"
    assert dbt_runs == []


def test_only_what_stands_on_a_change_is_built(
    installation: Installation, dbt_runs: list[list[str]]
) -> None:
    installation.run("update action_contracts set status = 'failed' where id = 'b'")
    installation.add("d")
    report = installation.refresh()
    assert report.mode == "incremental"
    assert installation.facts() == [
        ("a", "verified"),
        ("b", "failed"),
        ("c", "verified"),
        ("d", "verified"),
    ]
    changes = {s.table: (s.inserted, s.updated) for s in report.sources if s.inserted or s.updated}
    assert changes == {"action_contracts": (1, 1)}
    (building, *built), (checking, *contracts) = dbt_runs
    assert (building, checking) == ("build", "test")
    assert {"contracts_that_stop", "contracts_that_warn"} <= set(contracts)
    assert [name for name in built if name.startswith("land_")] == ["land_action_contracts"]
    assert "fact_verification_executions" in built
    assert "fact_governance_votes" not in built
    assert_parity(report.snapshot.snapshot_path, installation.database, first=False)


def test_a_large_table_is_told_by_its_landing_model(
    installation: Installation, dbt_runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "ASKED_UP_TO", 2)
    installation.run("update action_contracts set status = status")
    assert installation.refresh().mode == "probe"
    installation.add("d")
    installation.refresh()
    (quiet, *_), (reading, *landed), (building, *built), (checking, *_) = dbt_runs
    assert (quiet, reading, building, checking) == ("run", "run", "build", "test")
    assert "land_action_contracts" in landed and "land_benchmark_runs" not in landed
    assert not [name for name in built if name.startswith("land_")]
    assert len(installation.facts()) == 4


def test_a_deleted_row_is_a_change(installation: Installation) -> None:
    installation.run("pragma foreign_keys = off", "delete from action_contracts where id = 'c'")
    report = installation.refresh()
    assert [fact[0] for fact in installation.facts()] == ["a", "b"]
    assert sum(source.deleted for source in report.sources) == 1


def test_a_column_of_another_name_is_a_change(installation: Installation) -> None:
    installation.run("alter table action_contracts rename column tier to level")
    assert installation.refresh().mode == "incremental"
    assert installation.published(
        "select distinct tier_code from fact_verification_executions"
    ) == [(None,)]


def test_a_full_refresh_keeps_the_history(installation: Installation) -> None:
    installation.run("update mission_timelines set mission_name = 'Downgrade'")
    installation.refresh()
    versions = "select mission_name, is_current from dim_mission where mission_id = 'm1' order by 2"
    history = installation.published(versions)
    assert history == [("Upgrade", False), ("Downgrade", True)]
    assert installation.refresh(Scope(full=True)).mode == "full"
    assert installation.published(versions) == history


def test_a_selection_reads_only_what_it_stands_on(
    installation: Installation, dbt_runs: list[list[str]]
) -> None:
    installation.add("d")
    installation.run(
        "insert into approval_requests (id, event_id, status, requested_by, created_at)"
        " values (1, 1, 'pending', 'alice', '2025-11-02 15:00:00')"
    )
    report = installation.refresh(Scope(select=["action_contracts"]))
    assert [s.table for s in report.sources if s.inserted] == ["action_contracts"]
    assert installation.published("select count(*) from fact_approvals") == [(0,)]
    # The rest is found by the next one, although nothing was written in between.
    report = installation.refresh()
    assert [s.table for s in report.sources if s.inserted] == ["approval_requests"]
    assert installation.published("select count(*) from fact_approvals") == [(1,)]
    assert_parity(report.snapshot.snapshot_path, installation.database, first=False)


def test_a_backfill_reads_its_span_and_nothing_else(installation: Installation) -> None:
    installation.add("before", created_at="2025-10-30 12:00:00")
    installation.add("within", created_at="2025-11-05 12:00:00")
    since, until = datetime(2025, 11, 1, tzinfo=UTC), datetime(2025, 11, 8, tzinfo=UTC)
    report = installation.refresh(Scope(since=since, until=until))
    assert [fact[0] for fact in installation.facts()] == ["a", "b", "c", "within"]
    # What lies outside is found by the next one, although nothing was written in between.
    assert sum(source.inserted for source in installation.refresh().sources) == 1
    assert [fact[0] for fact in installation.facts()] == ["a", "b", "before", "c", "within"]
    assert installation.refresh(Scope(until=since)).run_id > report.run_id


def test_a_reconcile_that_finds_nothing_says_that_it_looked(installation: Installation) -> None:
    exact = (
        "select distinct exact_at = run_at, read_mode from cube_source_changes where not is_missing"
    )
    before = installation.refresh().snapshot
    report = installation.refresh(Scope(reconcile=True))
    assert report.snapshot.snapshot_path != before.snapshot_path
    assert installation.published(exact) == [(True, "all")]


def test_a_table_that_is_gone_is_told_and_what_was_read_stays(installation: Installation) -> None:
    installation.run("drop table benchmark_runs")
    report = installation.refresh()
    assert "the table benchmark_runs is missing" in " ".join(report.warnings)
    assert installation.published("select count(*) from fact_benchmark_runs") == [(1,)]
    assert installation.refresh().mode == "probe"


def test_a_selection_of_nothing_is_refused(installation: Installation) -> None:
    with pytest.raises(GraceError, match="no_such_model") as caught:
        installation.refresh(Scope(select=["no_such_model"]))
    assert caught.value.exit_code == ExitCode.USAGE


def test_what_a_failed_run_landed_is_built_by_the_next(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are landed, so that no comparison tells of them any more; they count for the run that publishes them."""

    def stopped(*arguments: Any) -> None:
        raise GraceError("stopped", "here")

    installation.add("d")
    with monkeypatch.context() as patched:
        patched.setattr(probing, "ASKED_UP_TO", 0)  # each table is landed before anything is built
        patched.setattr(refreshing._Refresh, "_build_on", stopped)
        with pytest.raises(GraceError, match="stopped"):
            installation.refresh()
    assert [fact[0] for fact in installation.facts()] == ["a", "b", "c"]
    report = installation.refresh()
    assert report.mode == "complete"
    assert {s.table: s.inserted for s in report.sources if s.inserted} == {"action_contracts": 1}
    assert [fact[0] for fact in installation.facts()] == ["a", "b", "c", "d"]
    assert_parity(report.snapshot.snapshot_path, installation.database, first=False)


def test_other_hands_in_the_build_file_are_noticed(installation: Installation) -> None:
    installation.run("update mission_timelines set mission_name = 'Downgrade'")
    installation.refresh()
    installation.build(
        "update landing.land_action_contracts set status = 'failed' where id = 'a'",
        "delete from snapshots.snap_missions",
        "drop table main.fact_approvals cascade",
    )
    report = installation.refresh()
    assert "changed by other hands" in " ".join(report.warnings)
    assert dict(installation.facts())["a"] == "verified"
    assert len(installation.published("select 1 from dim_mission where mission_id = 'm1'")) == 2
    assert installation.published("select count(*) from fact_approvals") == [(0,)]


def test_dbt_may_run_beside_it(installation: Installation, planned_home: Path) -> None:
    """A bare dbt writes to the build file as well: its work is gone on from, and not thrown away."""
    outcome = run_dbt(["run", "--select", "dim_actor"], installation.settings)
    assert outcome.success
    report = installation.refresh()
    assert report.mode == "complete"
    assert report.warnings == []


def test_a_lost_snapshot_is_published_again(installation: Installation) -> None:
    lost = installation.refresh().snapshot
    Path(lost.snapshot_path).unlink()
    found = installation.refresh().snapshot
    assert found.snapshot_path != lost.snapshot_path
    assert len(installation.facts()) == 3


def test_a_clock_that_went_back_orders_runs_all_the_same(installation: Installation) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)
    place = installation.settings.home / "build.json"
    state = json.loads(place.read_text())
    place.write_text(json.dumps(state | {"clock": ahead.isoformat()}))
    installation.run("update mission_timelines set mission_name = 'Downgrade'")
    installation.refresh()
    [(first, second)] = installation.published(
        "select min(effective_to), max(effective_from) from dim_mission where mission_id = 'm1'"
    )
    assert first == second == ahead.replace(tzinfo=None) + timedelta(microseconds=1)


def test_a_run_that_cannot_be_recorded_is_a_good_run(installation: Installation) -> None:
    log = installation.settings.home / "runs.sqlite"
    log.write_bytes(b"no database at all" * 100)
    installation.add("d")
    report = installation.refresh()
    assert len(installation.facts()) == 4
    assert "runs.sqlite" in " ".join(report.warnings)
    # The run before is known from its snapshot.
    runs = installation.published("select run_id, status from cube_etl_metadata order by 1 desc")
    assert [status for _, status in runs] == ["succeeded", "succeeded"]
    assert runs[0][0] == report.run_id


@pytest.mark.parametrize(
    "assignment",
    ["started_at = 'yesterday'", "run_id = 'the first'", "watermarks = '{'", "watermarks = x'00'"],
)
def test_other_hands_in_the_log_of_runs_stop_no_refresh(
    installation: Installation, assignment: str
) -> None:
    log = installation.settings.home / "runs.sqlite"
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute(f"update runs set {assignment}")
    installation.add("d")
    report = installation.refresh()
    assert len(installation.facts()) == 4
    assert "runs.sqlite" in " ".join(report.warnings)


def test_each_run_stands_in_the_snapshot(installation: Installation) -> None:
    installation.add("d", created_at="2025-11-03 09:00:00")
    report = installation.refresh()
    rows = installation.published(
        "select run_id, mode, status, rows_inserted, rows_updated, rows_deleted, rows_by_model, watermarks, snapshot"
        " from cube_etl_metadata order by run_id"
    )
    first, last = rows
    assert first[1:6] == ("complete", "succeeded", 5, 0, 0)
    assert last[:6] == (report.run_id, "incremental", "succeeded", 1, 0, 0)
    assert json.loads(last[6])["fact_verification_executions"] == 4
    assert json.loads(last[7])["action_contracts"].startswith("2025-11-03 09:00:00")
    assert last[8] == Path(report.snapshot.snapshot_path).name
    [(started, ended, seconds)] = installation.published(
        "select started_at, ended_at, duration_seconds from cube_etl_metadata order by run_id desc limit 1"
    )
    assert (ended - started).total_seconds() == pytest.approx(seconds, abs=0.002)
    kept = {run.run_id: run.status for run in RunLog(installation.settings).latest(10)}
    assert kept == {row[0]: row[2] for row in rows}


def test_a_failure_is_recorded_and_what_was_published_stays(installation: Installation) -> None:
    before = current(installation.settings)
    installation.database.rename(installation.database.with_suffix(".gone"))
    with pytest.raises(GraceError) as caught:
        installation.refresh()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert current(installation.settings) == before
    [latest] = RunLog(installation.settings).latest(1)
    assert (latest.status, latest.snapshot) == ("failed", None)
    assert "operational.sqlite" in str(latest.error_message)


@pytest.fixture
def watched(fresh_place: Callable[[str], Place], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Two tables landed from a database of an engine, and the question what changed since."""

    def land(dialect: str) -> tuple[Place, Callable[[], set[str]]]:
        place = fresh_place(dialect)
        settings = Settings(tmp_path / "home", OperationalUrl.parse(place.url))
        tables = ["execution_tasks", "playbook_runs"]
        place.run(
            *(f"insert into playbook_runs (id, status) values ({n}, 'pending')" for n in (1, 2))
        )
        known: dict[str, Any] = {"shapes": {}, "queries": {}}

        def ask() -> set[str]:
            found = probe(settings, tables, **known)
            known.update(shapes=found.shapes, queries=found.queries)
            if found.changed:
                models = [f"land_{table}" for table in tables]
                assert run_dbt(["run", "--select", *models], settings).success
            return found.changed

        models = ["landing_reads", *(f"land_{table}" for table in tables)]
        assert run_dbt(["run", "--select", *models], settings).success
        assert ask() == set(tables), "a table of unknown columns counts as changed"
        return place, ask

    yield land


@pytest.mark.parametrize("dialect", ENGINES)
def test_the_probe_names_what_changed(watched: Callable[[str], Any], dialect: str) -> None:
    place, ask = watched(dialect)
    assert ask() == set()
    place.run("update playbook_runs set status = 'running' where id = 1")
    assert ask() == {"playbook_runs"}
    assert ask() == set()
    place.run("update playbook_runs set status = 'pending' where id = 1",
              "update playbook_runs set status = 'running' where id = 2")  # fmt: skip
    assert ask() == {"playbook_runs"}
    place.run("delete from playbook_runs where id = 2")
    assert ask() == {"playbook_runs"}
    assert ask() == set()


def test_the_command_says_what_it_did(installation: Installation) -> None:
    cli = GraceCli(installation.settings.home)
    url = f"sqlite:///{installation.database}"
    quiet = cli.run("refresh", "--db", url)
    assert quiet.returncode == 0, quiet.stderr
    assert "Nothing has changed" in quiet.stderr
    told = json.loads(cli.run("runs", "--json").stdout)
    assert [run["status"] for run in told] == ["unchanged", "succeeded"]
    table = cli.run("runs", "--limit", "1").stdout
    assert told[0]["run_id"] in table and "unchanged" in table
    one = cli.run("runs", told[1]["run_id"]).stdout
    assert "fact_verification_executions: 3" in one
    assert cli.run("runs", "nothing").returncode == 2
    assert cli.run("refresh", "--db", url, "--select", "nothing_such").returncode == 2
    told = cli.run("runs", "--limit", "1").stdout
    assert "Nothing that is landed is selected by: nothing_such." in told


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--from", "yesterday"], "no time"),
        (["--every", "soon"], "no length of time"),
        (["--every", "5m", "--full"], "--every looks for what changed"),
        (["--notify", ""], "no command"),
        (["--notify", "'"], "no command"),
    ],
)
def test_wrong_options_are_wrong_usage(
    grace_cli: GraceCli, options: list[str], reason: str
) -> None:
    done = grace_cli.run("refresh", *options)
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_table_that_postgres_has_locked_is_not_waited_for_for_ever(
    new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_place("postgres")
    place.run("create table t (v int)")
    monkeypatch.setattr("grace_dbt.operational.attach.WAIT_SECONDS", 1.0)
    assert place.server
    with place.server.connect() as holder, duckdb.connect() as connection:
        cursor = holder.cursor()
        cursor.execute("begin")
        cursor.execute("lock table t in access exclusive mode")
        attach_operational(connection, OperationalUrl.parse(place.url))
        with pytest.raises(duckdb.Error, match="lock timeout"):
            connection.execute(
                "select * from postgres_query('grace', 'select * from t')"
            ).fetchall()
        cursor.execute("rollback")


def test_bit_rot_in_the_build_file_is_mended(installation: Installation) -> None:
    """Neither size nor time of the file tell of it: a block that is read does."""
    build = installation.settings.build_file
    times, content = build.stat(), bytearray(build.read_bytes())
    for place in range(64 * 1024, len(content), 128 * 1024):
        content[place : place + 64] = b"\xff" * 64
    build.write_bytes(content)
    os.utime(build, ns=(times.st_atime_ns, times.st_mtime_ns))
    installation.add("d")
    report = installation.refresh()
    assert "could not be gone on from" in " ".join(report.warnings)
    assert_parity(report.snapshot.snapshot_path, installation.database, first=False)


def test_a_build_that_another_process_writes_is_left_alone(installation: Installation) -> None:
    (installation.settings.home / "build.json").unlink()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True);"
         " time.sleep(600)", str(installation.settings.build_file)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(GraceError, match="lock") as caught:
            installation.refresh()
    finally:
        holder.kill()
        holder.wait()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert not list(installation.settings.home.glob("build.damaged-*"))


def test_looks_of_one_process_that_find_nothing_are_one_run(installation: Installation) -> None:
    for _ in range(3):
        installation.refresh()
    first, *others = RunLog(installation.settings).latest(10)
    assert (first.status, first.checks) == ("unchanged", 3)
    assert [run.status for run in others] == ["succeeded"]


def test_a_run_tells_what_was_asked_for_and_no_word_of_the_command_line(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom --notify names, or a password in --db, may be a secret."""
    monkeypatch.setattr(
        sys, "argv", ["grace-dbt", "refresh", "--notify", "https://h/secret", "--notify=secret"]
    )
    installation.refresh()
    until = datetime(2025, 11, 8, tzinfo=UTC)
    installation.refresh(Scope(until=until, select=["fact_approvals"]))
    asked, plain, _ = RunLog(installation.settings).latest(10)
    assert plain.command == "grace-dbt refresh"
    assert asked.command == (
        "grace-dbt refresh --to 2025-11-08T00:00:00+00:00 --select fact_approvals"
    )
    assert Scope(full=True, select=["a b"]).command() == "grace-dbt refresh --full --select 'a b'"


def test_a_selection_leaves_what_is_known_of_the_other_tables(
    installation: Installation, dbt_runs: list[list[str]]
) -> None:
    installation.refresh(Scope(select=["action_contracts"]))
    dbt_runs.clear()
    assert installation.refresh().mode == "probe"
    assert dbt_runs == []
