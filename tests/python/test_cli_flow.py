"""The command line as its users run it, from an empty home to the published number."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import GraceCli, prepare

from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import publish
from grace_dbt.settings import Settings


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, planned_home: Path) -> GraceCli:
    home = tmp_path_factory.mktemp("flow") / "home"
    prepare(home, planned_home)
    return GraceCli(home)


def assert_two_lines(stderr: str, *words: str) -> None:
    lines = [line for line in stderr.strip().splitlines() if line != "Refreshing the cube ..."]
    assert len(lines) == 2, stderr
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr


@pytest.mark.parametrize(
    "command",
    [("refresh",), ("test",), ("build",), ("docs", "--no-serve"), ("simulate",)],
    ids=lambda command: command[0],
)
def test_without_a_database(cli: GraceCli, command: tuple[str, ...]) -> None:
    done = cli.run(*command)
    assert done.returncode == 3
    assert_two_lines(done.stderr, "operational.sqlite", "grace-dbt init")
    assert not (cli.home / "operational.sqlite").exists()


def test_status_before_the_first_snapshot(cli: GraceCli) -> None:
    done = cli.run("status", "--json")
    assert done.returncode == 3
    assert_two_lines(done.stderr, "grace-dbt refresh")
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("refresh", "--db", "oracle://x"), ("init", "--db", "sqlite:///"), ("tables", "--component", "nonsense"),
        ("ddl", "--dialect", "nonsense"), ("simulate", "--days", "0"), ("simulate", "--end", "soon"),
        ("build", "--target", "nonsense"), ("nonsense",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(cli: GraceCli, arguments: tuple[str, ...]) -> None:
    done = cli.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def history(cli: GraceCli) -> GraceCli:
    assert cli.run("init").returncode == 0
    done = cli.run("simulate", "--contracts", "1000", "--days", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["action_contracts"] == 1000
    return cli


def test_simulate_refuses_a_database_with_rows(history: GraceCli) -> None:
    done = history.run("simulate", "--contracts", "10")
    assert done.returncode == 1
    assert_two_lines(done.stderr)


def test_contracts_hold_before_and_after_the_first_refresh(history: GraceCli) -> None:
    before = history.run("test", "--json")
    assert before.returncode == 0, before.stderr
    assert len(json.loads(before.stdout)) >= 96
    refreshed = history.run("refresh", "--json")
    assert refreshed.returncode == 0, refreshed.stderr
    report = json.loads(refreshed.stdout)
    assert sum(tier["total"] for tier in report["tiers"]) == 1000
    after = history.run("test", "--json")
    assert after.returncode == 0, after.stderr
    assert len(json.loads(after.stdout)) > len(json.loads(before.stdout))

    facts = json.loads(history.run("status", "--json").stdout)
    assert facts["rows"]["fact_verification_executions"] == 1000
    assert 0 < facts["lag_seconds"] < 600
    with duckdb.connect(facts["snapshot_path"], read_only=True) as connection:
        kinds = connection.execute("select distinct schema_name from duckdb_tables()").fetchall()
        views = connection.execute(
            "select count(*) from duckdb_views() where not internal"
        ).fetchall()
        hidden = connection.execute(
            "select count(*) from duckdb_columns() where starts_with(column_name, '_')"
        ).fetchall()
    assert (kinds, views, hidden) == ([("main",)], [(0,)], [(0,)])


def test_a_breach_names_its_rule(history: GraceCli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    shutil.copy(history.home / "operational.sqlite", broken)
    with sqlite3.connect(broken) as connection:
        connection.execute("update action_contracts set tier = 'tier_9' where rowid <= 3")
    url = f"sqlite:///{broken}"
    selection = ("--select", "source:verification")
    done = history.run("test", "--db", url, "--json", *selection)
    assert done.returncode == 1
    found = {r["name"]: r["rules"] for r in json.loads(done.stdout) if r["status"] != "pass"}
    assert list(found.values()) == [{"accepted_values: tier": 3}]
    readable = history.run("test", "--db", url, *selection)
    assert readable.returncode == 1
    assert "accepted_values: tier" in readable.stdout


def test_build_passes_a_selection_on(history: GraceCli) -> None:
    done = history.run("build", "--json", "--select", "dim_tier", "--exclude", "resource_type:test")
    assert done.returncode == 0, done.stderr
    assert [
        node["name"] for node in json.loads(done.stdout)["nodes"] if node["name"].startswith("dim")
    ] == ["dim_tier"]


@pytest.mark.parametrize(
    "arguments",
    [("test", "--select", "nothing_of_this_name"), ("test", "--nonsense"), ("build", "--nonsense")],
)
def test_what_dbt_would_let_pass(history: GraceCli, arguments: tuple[str, ...]) -> None:
    done = history.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert_two_lines(done.stderr)


def test_docs_are_one_file_and_served(history: GraceCli) -> None:
    done = history.run("docs", "--no-serve")
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    assert "fact_verification_executions" in page.read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = history.start("docs", "--port", str(port))
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html") as answer:
                    served = answer.read()
                break
            except OSError:
                assert server.poll() is None, server.communicate()
                time.sleep(0.5)
        assert served == page.read_bytes()
    finally:
        server.kill()
        server.communicate()


def test_one_at_a_time(history: GraceCli) -> None:
    first = history.start("refresh")
    holder = history.home / "lock.json"
    holder.unlink(missing_ok=True)
    while not holder.exists() and first.poll() is None:
        time.sleep(0.05)
    second = history.run("refresh")
    assert first.wait() == 0, first.communicate()
    assert second.returncode == 3
    assert_two_lines(second.stderr, str(first.pid), "refresh")


def test_a_killed_refresh_leaves_the_snapshot_and_no_lock(history: GraceCli) -> None:
    before = json.loads(history.run("status", "--json").stdout)
    for delay in (2.0, 4.5):
        process = history.start("refresh")
        time.sleep(delay)
        process.kill()
        process.communicate()
        now = json.loads(history.run("status", "--json").stdout)
        assert Path(now["snapshot_path"]).is_file()
        assert now["rows"] == before["rows"]
    done = history.run("refresh", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["snapshot"]["rows"] == before["rows"]


def test_old_snapshots_go_and_an_open_one_stays_readable(history: GraceCli) -> None:
    settings = Settings(history.home, FileUrl("sqlite", history.home / "operational.sqlite"))
    facts = json.loads(history.run("status", "--json").stdout)
    path = facts["snapshot_path"]
    with duckdb.connect(path, read_only=True) as reader:
        for _ in range(3):
            publish(settings, datetime.now(UTC), facts["rows"])
        rows = reader.execute("select count(*) from fact_verification_executions").fetchall()
    assert rows == [(1000,)]
    assert len(list((history.home / "snapshots").glob("snap-*.duckdb"))) == 3
    assert not Path(path).exists()
