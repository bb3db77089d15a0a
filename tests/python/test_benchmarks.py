"""The baselines of the benchmarks: they give the rows that are published, and a row that differs is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, GraceCli, prepare

BENCHMARKS = ROOT / "benchmarks"
CONTRACTS = 300


@pytest.fixture(scope="module")
def imported() -> Iterator[Any]:
    """The modules of the benchmarks, which stand beside each other and not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    import baselines
    import metrics
    import multiplied
    import page
    import run

    modules = (baselines, metrics, multiplied, page, run)
    yield type("Modules", (), {module.__name__: module for module in modules})
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def published(
    planned_home: Path, templates: Path, imported: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home whose snapshot tells of a changed history."""
    home = tmp_path_factory.mktemp("bench") / "home"
    prepare(home, planned_home)
    cli, database = GraceCli(home), home / "operational.sqlite"
    shutil.copy(templates / "fresh.sqlite", database)
    done = cli.run("simulate", "--contracts", str(CONTRACTS), "--days", "3")
    assert done.returncode == 0, done.stderr
    imported.run.change(database, CONTRACTS, 0)
    done = cli.run("refresh")
    assert done.returncode == 0, done.stderr
    return home


def snapshot(home: Path) -> Path:
    named: str = json.loads((home / "snapshots" / "current.json").read_text())["snapshot"]
    return home / "snapshots" / named


def baseline(home: Path, way: str, result: Path) -> Path:
    files = BENCHMARKS / "baselines.py", home / "operational.sqlite", result
    script, database, made = map(str, files)
    subprocess.run([sys.executable, script, way, database, made], check=True, timeout=120)
    return result


@pytest.mark.parametrize("way", ["floor", "loop"])
def test_a_baseline_gives_the_rows_that_are_published(
    way: str, published: Path, imported: Any, tmp_path: Path
) -> None:
    result = baseline(published, way, tmp_path / "baseline.duckdb")
    imported.baselines.require_equal(snapshot(published), result)
    rows, _ = imported.baselines.fact_hash(result)
    assert rows > CONTRACTS, "a change adds contracts"


TAMPERINGS = (
    "update {0} set was_successful = not was_successful where contract_id = (select min(contract_id) from {0})",
    "update {0} set duration_seconds = duration_seconds + 0.000001"
    " where contract_id = (select min(contract_id) from {0} where duration_seconds is not null)",
    "update {0} set mission_key = -1 where contract_id = (select min(contract_id) from {0} where mission_key <> -1)",
    "update {0} set error_message = '' where contract_id ="
    " (select min(contract_id) from {0} where error_message is null)",
    "delete from {0} where contract_id = (select min(contract_id) from {0})",
    "insert into {0} select * from {0} limit 1",
    "insert into {0} select * from {0} limit 2",
)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_one_row_that_differs_is_found(
    tampering: str, published: Path, imported: Any, tmp_path: Path
) -> None:
    result = baseline(published, "floor", tmp_path / "baseline.duckdb")
    with duckdb.connect(str(result)) as connection:
        connection.execute(tampering.format(imported.baselines.FACT))
    with pytest.raises(SystemExit, match="no time counts"):
        imported.baselines.require_equal(snapshot(published), result)


def test_a_column_that_is_missing_or_of_another_type_is_found(
    published: Path, imported: Any, tmp_path: Path
) -> None:
    result = baseline(published, "floor", tmp_path / "baseline.duckdb")
    with duckdb.connect(str(result)) as connection:
        connection.execute(f"alter table {imported.baselines.FACT} alter tier_key type varchar")
    with pytest.raises(SystemExit, match="tier_key"):
        imported.baselines.require_equal(snapshot(published), result)


def test_a_change_is_one_percent(published: Path) -> None:
    with closing(sqlite3.connect(published / "operational.sqlite")) as connection:
        undone = "select count(*) from action_contracts where verification_result like '%regression reported%'"
        [(rolled_back,)] = connection.execute(undone)
        [(rows,)] = connection.execute("select count(*) from action_contracts")
    assert rolled_back >= CONTRACTS * 9 // 1_000
    assert rows == CONTRACTS + 1


def test_the_page_says_which_targets_are_met(imported: Any) -> None:
    figures = {
        "full": 10.0, "floor": 4.0, "loop": 500.0, "changed": 5.5, "unchanged": 0.01, "one_row": 2.0,
    }  # fmt: skip
    told = list(imported.page._targets({"100000": figures, "1000000": figures}))
    assert [line.split(" | ")[1:] for line in told[2:]] == [
        ["2.50", "yes |"], ["50.00", "no |"], ["5.50", "no |"], ["0.01", "yes |"], ["2.00", "yes |"],
        ["| not measured |"],
    ]  # fmt: skip


COPIES = 3


@pytest.fixture(scope="module")
def large(published: Path, imported: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every fact stands three times."""
    home = tmp_path_factory.mktemp("large") / "home"
    rows = imported.multiplied.multiply(published, home, COPIES)
    assert rows == COPIES * (CONTRACTS + 1)
    return home


def test_copies_are_things_of_their_own_and_rollups_tell_of_all(
    large: Path, published: Path
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{snapshot(large)}' as large (read_only)")
        connection.execute(f"attach '{snapshot(published)}' as small (read_only)")
        [figures] = connection.execute("""
            select count(*), count(distinct execution_key), count(distinct contract_id), count(distinct created_at),
                (select sum(total_executions) from large.cube_daily_verification_by_tier),
                (select sum(total_executions) from large.cube_hourly_verification_by_component),
                (select count(*) from large.fact_verification_executions join large.dim_time using (time_key)),
                (select count(*) from large.fact_verification_executions join large.dim_mission using (mission_key))
            from large.fact_verification_executions
        """).fetchall()
        assert set(figures) == {COPIES * (CONTRACTS + 1)}
        [(large_days, small_days)] = connection.execute("""
            select (select count(distinct created_at::date) from large.fact_verification_executions),
                (select count(distinct created_at::date) from small.fact_verification_executions)
        """).fetchall()
    assert large_days > small_days


def test_rollups_that_the_sql_does_not_make_as_published_are_found(
    published: Path, imported: Any, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    shutil.copytree(published, small)
    [file] = small.glob("dbt/*/compiled/grace/models/**/cube_drift.sql")
    file.write_text(file.read_text().replace("count(*)", "count(*) + 1"))
    with pytest.raises(SystemExit, match="cube_drift"):
        imported.multiplied.multiply(small, tmp_path / "home", 2)


@pytest.fixture(scope="module")
def answers(large: Path, imported: Any) -> list[tuple[Any, Any, list[tuple[Any, ...]]]]:
    """Some questions of each table, both ways."""
    from grace_dbt import metrics
    from grace_dbt.reading import open_snapshot

    with (
        open_snapshot(large) as opened,
        imported.metrics.connect(opened.path) as connection,
    ):
        every = list(imported.metrics.questions(opened.as_of.replace(tzinfo=None)))
        kept = {(each.source, each.kind): each for each in every}
        return [
            (each, metrics.query(each.metric, snapshot=opened, home=large, **each.arguments), each.by_hand(connection))
            for each in kept.values()
        ]  # fmt: skip


def test_a_question_and_the_sql_by_hand_have_the_same_rows(
    answers: list[tuple[Any, Any, list[tuple[Any, ...]]]], imported: Any
) -> None:
    assert {each.path for each, _, _ in answers} == {"rollup", "fact"}
    assert {each.kind for each, _, _ in answers} == {"total", "slice", "day", "rolling"}
    for each, answer, rows in answers:
        imported.metrics.require_same(each, answer, rows)


@pytest.mark.parametrize("tampering", ["value", "missing", "other", "twice", "none", "source"])
def test_one_answer_that_differs_is_found(
    tampering: str, answers: list[tuple[Any, Any, list[tuple[Any, ...]]]], imported: Any
) -> None:
    each, answer, rows = next(
        (each, answer, told)
        for each, answer, rows in answers
        if each.kind == "day" and len(told := [row for row in rows if row[-1]]) > 1
    )
    *rest, last = rows
    tampered = {
        "value": [*rest, (*last[:-1], float(last[-1]) * (1 + 1e-8))],
        "missing": rest,
        "other": [*rest, (last[0], "other", last[-1])],
        "twice": [*rows, last],
        "none": [],
        "source": rows,
    }[tampering]
    if tampering == "source":
        each = replace(each, source="cube_elsewhere")
    with pytest.raises(SystemExit, match=each.metric):
        imported.metrics.require_same(each, answer, tampered)


def test_the_page_says_which_questions_miss_a_target(imported: Any) -> None:
    def run(asked: list[float], by_hand: float) -> dict[str, dict[str, list[float]]]:
        return {"day": {"asked": asked, "by_hand": [by_hand, by_hand]}}

    runs = {
        "quick": {"rollup": run([3.0, 2.5], 2.0), "fact": run([299.0, 298.0], 1.0)},
        "slow": {"rollup": run([16.0, 16.0], 14.0), "fact": run([301.0, 299.0], 400.0)},
        "wide": {"rollup": run([4.0, 3.0], 2.0)},
    }
    told = list(
        imported.page._metric_targets({"1000": {"runs": runs, "imports": {"query_path": 0.5}}})
    )
    assert [line.split(" | ")[2:] for line in told[2:]] == [
        ["2 of 3", "2", "`slow` slice and day |"], ["2 of 3", "3", "`wide` slice and day |"],
        ["1 of 2", "2", "`slow` slice and day |"], ["1 of 1", "| |"],
    ]  # fmt: skip
