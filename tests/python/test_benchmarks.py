"""The baselines of the benchmarks: they give the rows that are published, and a row that differs is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
    import page
    import run

    yield type("Modules", (), {"baselines": baselines, "page": page, "run": run})
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
