"""`grace-dbt ddl`: a complete script, made without a database."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from conftest import DIALECTS, GraceCli, Plan

from grace_dbt import settings as settings_module
from grace_dbt.operational import plan as planning
from grace_dbt.operational.plan import Step, planned_schema, script
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_script_is_the_plan(
    dialect: str, grace_cli: GraceCli, ddl_plan: dict[str, Plan]
) -> None:
    done = grace_cli.run("ddl", "--dialect", dialect, GRACE_OPERATIONAL_URL="nonsense")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"-- Operational schema of Grace for {dialect}: 96 tables.")
    assert ("pragma foreign_keys = on;" in done.stdout) == (dialect == "sqlite")
    assert done.stdout.rstrip().endswith("commit;")
    position = 0
    for step in ddl_plan[dialect]:
        position = done.stdout.index(f"\n{step['sql']};\n", position)
    assert not list(grace_cli.home.glob("*.sqlite")) + list(grace_cli.home.glob("*.duckdb"))


def test_the_script_runs_twice(grace_cli: GraceCli, tmp_path: Path) -> None:
    lite_script = grace_cli.run("ddl", "--dialect", "sqlite").stdout
    with closing(sqlite3.connect(tmp_path / "twice.sqlite")) as lite:
        for _ in range(2):
            lite.executescript(lite_script)
    duck_script = grace_cli.run("ddl", "--dialect", "duckdb").stdout
    with duckdb.connect() as duck:
        for _ in range(2):
            duck.execute(duck_script)


def test_an_unknown_dialect_names_the_known(grace_cli: GraceCli) -> None:
    done = grace_cli.run("ddl", "--dialect", "oracle")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: 'oracle' is not a dialect that grace-dbt plans for.",
        "Use one of: sqlite, duckdb.",
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_parents_come_before_their_children(dialect: str, ddl_plan: dict[str, Plan]) -> None:
    seen: set[str] = set()
    for step in ddl_plan[dialect]:
        seen.add(step["table"])
        for line in step["sql"].splitlines():
            _, found, target = line.partition(' references "')
            if found and step["kind"] == "table":
                assert target.split('"')[0] in seen


def test_a_script_closes_every_statement() -> None:
    steps = [Step("table", "t", "t", "create table t (a)"), Step("index", "t", "i", "create index")]
    assert script(steps, "duckdb").split("\n\n") == [
        "begin;",
        "create table t (a);",
        "create index;",
        "commit;",
    ]


# What dbt has planned once


def settings(home: Path) -> Settings:
    return Settings(home, FileUrl("sqlite", home / "unused"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The dialects that dbt is asked for; the answer is one table."""
    dialects: list[str] = []

    def answer(dialect: str) -> list[dict[str, str]]:
        dialects.append(dialect)
        return [{"kind": "table", "table": "t", "name": "t", "sql": "create table t (a)"}]

    monkeypatch.setattr(planning, "_ask_dbt", answer)
    return dialects


def test_dbt_is_asked_once(asked: list[str], tmp_path: Path) -> None:
    first = planned_schema("sqlite", settings(tmp_path))
    assert planned_schema("sqlite", settings(tmp_path)) == first
    assert asked == ["sqlite"]


def test_dbt_is_asked_again_after_a_change(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for fingerprint in ("one", "two"):
        monkeypatch.setattr(planning, "project_fingerprint", lambda *_, now=fingerprint: now)
        planned_schema("sqlite", settings(tmp_path))
    assert asked == ["sqlite", "sqlite"]
    kept = [path.name for path in (tmp_path / "dbt" / "ddl").iterdir()]
    assert kept == ["sqlite-two.json"]


@pytest.mark.parametrize("content", ["", "{", '[{"kind": "table"}]', "[1]"])
def test_a_damaged_plan_is_planned_anew(content: str, asked: list[str], tmp_path: Path) -> None:
    planned_schema("sqlite", settings(tmp_path))
    [kept] = (tmp_path / "dbt" / "ddl").iterdir()
    kept.write_text(content)
    assert len(planned_schema("sqlite", settings(tmp_path))) == 1
    assert json.loads(kept.read_text())


def test_a_home_that_can_keep_nothing_is_no_matter(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    for _ in range(2):
        assert planned_schema("duckdb", settings(tmp_path / "home"))
    assert asked == ["duckdb", "duckdb"]


def test_the_fingerprint_follows_declaration_and_macros(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    macro = tmp_path / "macros" / "ddl" / "plan.sql"
    table = tmp_path / "models" / "operational" / "core" / "_core__sources.yml"
    for path in (macro, table):
        path.parent.mkdir(parents=True)
        path.write_text("one")
    monkeypatch.setattr(settings_module, "project_directory", lambda: tmp_path)
    parts = ("models/operational", "macros/ddl")
    seen = {settings_module.project_fingerprint(*parts)}
    for path in (macro, table):
        path.write_text("two")
        seen.add(settings_module.project_fingerprint(*parts))
    assert len(seen) == 3


def test_help_answers_at_once(grace_cli: GraceCli) -> None:
    """Nothing heavy is imported before a command needs it."""
    code = (
        "import sys, grace_dbt.cli.init, grace_dbt.cli.ddl, grace_dbt.cli.tables;"
        "heavy = {'dbt', 'duckdb', 'yaml', 'rich.table'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run(
        [grace_cli.command()[0], "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
