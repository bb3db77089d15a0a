"""`grace-dbt ddl`: a complete script, made without a database."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ENGINES, GraceCli, Plan
from places import Place

from grace_dbt import settings as settings_module
from grace_dbt.operational import plan as planning
from grace_dbt.operational.plan import Step, planned_schema, script
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings


@pytest.mark.parametrize("dialect", ENGINES)
def test_the_script_is_the_plan(
    dialect: str, grace_cli: GraceCli, ddl_plan: dict[str, Plan]
) -> None:
    done = grace_cli.run("ddl", "--dialect", dialect, GRACE_OPERATIONAL_URL="nonsense")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"-- Operational schema of Grace for {dialect}: 96 tables.")
    assert ("pragma foreign_keys = on;" in done.stdout) == (dialect == "sqlite")
    # A server of MySQL commits each statement that changes the schema: there is no transaction.
    assert done.stdout.rstrip().endswith("commit;") == (dialect != "mariadb")
    position = 0
    for step in ddl_plan[dialect]:
        position = done.stdout.index(f"\n{step['sql']};\n", position)
    assert not list(grace_cli.home.glob("*.sqlite")) + list(grace_cli.home.glob("*.duckdb"))


@pytest.mark.parametrize("dialect", ENGINES)
def test_the_script_runs_twice(
    dialect: str, grace_cli: GraceCli, new_place: Callable[[str], Place]
) -> None:
    place = new_place(dialect)
    script = grace_cli.run("ddl", "--dialect", dialect).stdout
    place.run_script(script)
    once = place.catalogue()
    assert len({table for _, table, _, _ in once if not table.startswith("sqlite")}) >= 96
    place.run_script(script)
    assert place.catalogue() == once


def test_the_script_of_mysql_says_that_it_runs_once(grace_cli: GraceCli) -> None:
    """It is the plan of MariaDB with what MySQL has no words for."""
    scripts = {
        dialect: grace_cli.run("ddl", "--dialect", dialect).stdout
        for dialect in ("mysql", "mariadb")
    }
    assert "For an empty database" in scripts["mysql"].splitlines()[1]
    alike = scripts["mariadb"].replace("create index if not exists", "create index")
    alike = alike.replace("create unique index if not exists", "create unique index")
    alike = alike.replace("utf8mb4_nopad_bin", "utf8mb4_0900_bin")
    assert alike.splitlines()[2:] == scripts["mysql"].splitlines()[2:]


def test_an_unknown_dialect_names_the_known(grace_cli: GraceCli) -> None:
    done = grace_cli.run("ddl", "--dialect", "oracle")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: 'oracle' is not a dialect that grace-dbt plans for.",
        "Use one of: sqlite, duckdb, postgres, mysql, mariadb.",
    ]


@pytest.mark.parametrize("dialect", ENGINES)
def test_parents_come_before_their_children(dialect: str, ddl_plan: dict[str, Plan]) -> None:
    seen: set[str] = set()
    references = 0
    for step in ddl_plan[dialect]:
        seen.add(step["table"])
        for target in re.findall(r" references [\"`](\w+)", step["sql"]):
            references += step["kind"] == "table"
            assert target in seen
    assert references == 44  # 43 of the reference, one of the planned table


def test_a_script_closes_every_statement() -> None:
    steps = [Step("table", "t", "t", "create table t (a)"), Step("index", "t", "i", "create index")]
    statements = ["create table t (a);", "create index;"]
    for dialect in ("duckdb", "postgres"):
        assert script(steps, dialect).split("\n\n") == ["begin;", *statements, "commit;"]
    assert script(steps, "mariadb").split("\n\n") == ["set names utf8mb4;", *statements]


# What dbt has planned once


def settings(home: Path) -> Settings:
    return Settings(home, FileUrl("sqlite", home / "unused"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The dialects that dbt is asked for; the answer is one table."""
    dialects: list[str] = []

    def answer(dialect: str) -> dict[str, list[dict[str, str]]]:
        dialects.append(dialect)
        step = {"kind": "table", "table": "t", "name": "t", "sql": "create table t (a)"}
        return {"schema": [step], "mends": []}

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


@pytest.mark.parametrize(
    "content", ["", "{", '[{"kind": "table"}]', "[1]", '{"schema": [{"kind": "table"}]}']
)
def test_a_damaged_plan_is_planned_anew(content: str, asked: list[str], tmp_path: Path) -> None:
    planned_schema("sqlite", settings(tmp_path))
    [kept] = (tmp_path / "dbt" / "ddl").iterdir()
    kept.write_text(content)
    assert len(planned_schema("sqlite", settings(tmp_path)).steps) == 1
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
