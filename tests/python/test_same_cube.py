"""One simulated history gives one cube, whichever engine holds it and whichever target builds it."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_fact_parity import assert_parity

from grace_dbt.dbt_commands import build
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings
from grace_dbt.simulation import simulate

END = datetime(2025, 11, 30, 12, tzinfo=UTC)
RUN_CLOCKS = {"first_run_at", "last_run_at", "resolved_at", "run_at"}


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory, templates: Path) -> dict[str, Settings]:
    folder = tmp_path_factory.mktemp("histories")
    made = {}
    for dialect in ("sqlite", "duckdb"):
        path = Path(shutil.copy(templates / f"fresh.{dialect}", folder / f"operational.{dialect}"))
        url = FileUrl(dialect, path)
        assert (
            simulate(url, days=10, contracts=1500, rng_seed=11, end=END)["action_contracts"] == 1500
        )
        made[dialect] = Settings(folder / f"home_{dialect}", url)
    return made


@pytest.fixture(scope="module")
def snapshots(histories: dict[str, Settings]) -> dict[str, str]:
    return {
        dialect: refresh(settings).snapshot.snapshot_path for dialect, settings in histories.items()
    }


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, bool):
        return int(value)
    return round(value, 6) if isinstance(value, float) else value


def rows_of(connection: Any, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    quoted = ", ".join(f'"{column}"' for column in columns)
    rows = connection.execute(f"select {quoted} from {table}").fetchall()
    return sorted((tuple(plain(v) for v in row) for row in rows), key=repr)


def tables_of(snapshot: str) -> dict[str, list[str]]:
    with duckdb.connect(snapshot, read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() where not internal order by all"
        ).fetchall()
    tables: dict[str, list[str]] = {}
    for table, column in columns:
        if column not in RUN_CLOCKS:
            tables.setdefault(table, []).append(column)
    return tables


def test_the_fact_equals_the_oracle(
    histories: dict[str, Settings], snapshots: dict[str, str]
) -> None:
    assert_parity(snapshots["sqlite"], histories["sqlite"].operational.path)


def test_over_sqlite_and_over_duckdb(snapshots: dict[str, str]) -> None:
    tables = tables_of(snapshots["sqlite"])
    assert tables == tables_of(snapshots["duckdb"])
    with (
        duckdb.connect(snapshots["sqlite"], read_only=True) as lite,
        duckdb.connect(snapshots["duckdb"], read_only=True) as duck,
    ):
        for table, columns in tables.items():
            over_lite = rows_of(lite, table, columns)
            assert over_lite or table == "cube_quarantine", f"{table} is empty: nothing is proven"
            assert over_lite == rows_of(duck, table, columns), table


def test_built_by_the_sqlite_target(
    histories: dict[str, Settings], snapshots: dict[str, str]
) -> None:
    settings = histories["sqlite"]
    outcome = build(settings, ["--exclude", "test_type:generic"], target="sqlite", quiet=True)
    assert outcome.success, outcome.errors
    with (
        duckdb.connect(snapshots["sqlite"], read_only=True) as duck,
        sqlite3.connect(settings.home / "build.sqlite") as lite,
    ):
        for table, columns in tables_of(snapshots["sqlite"]).items():
            assert rows_of(lite, table, columns) == rows_of(duck, table, columns), table
