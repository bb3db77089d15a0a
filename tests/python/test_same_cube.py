"""One simulated history gives one cube, whichever engine holds it and whichever target builds it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ENGINES, FILES, prepare
from cube_oracle.compare import LOG_OF_RUNS, assert_parity
from servers import Server

from grace_dbt.dbt_commands import build
from grace_dbt.operational.schema import initialise
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings
from grace_dbt.simulation import simulate

END = datetime(2025, 11, 30, 12, tzinfo=UTC)
CONTRACTS = "select count(*), md5(string_agg(c::text, '' order by id)) from action_contracts as c"
Row = tuple[Any, ...]
RUN_CLOCKS = {"first_run_at", "last_run_at", "resolved_at", "run_at", "exact_at"}


@pytest.fixture(scope="module")
def histories(
    tmp_path_factory: pytest.TempPathFactory,
    templates: Path,
    planned_home: Path,
    running: Callable[[str], Server],
) -> dict[str, Settings]:
    """One simulated history, on every engine."""
    folder = tmp_path_factory.mktemp("histories")
    made = {}
    for dialect in ENGINES:
        home = folder / f"home_{dialect}"
        url: OperationalUrl
        if dialect in FILES:
            path = folder / f"operational.{dialect}"
            shutil.copy(templates / f"fresh.{dialect}", path)
            url = FileUrl(dialect, path)
        else:
            prepare(home, planned_home)
            url = OperationalUrl.parse(running(dialect).create("same_cube").url)
            initialise(Settings(home, url))
        written = simulate(url, days=10, contracts=1500, rng_seed=11, end=END)
        assert written["action_contracts"] == 1500
        made[dialect] = Settings(home, url)
    return made


@pytest.fixture(scope="module")
def snapshots(histories: dict[str, Settings]) -> dict[str, str]:
    return {
        dialect: refresh(settings).snapshot.snapshot_path for dialect, settings in histories.items()
    }


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, bool):
        return int(value)
    return value


def assert_same(left: list[Row], right: list[Row], table: str) -> None:
    """Equal rows; an engine adds up real numbers in its own order, so their last digits are its own."""
    assert len(left) == len(right), table
    for one, other in zip(left, right, strict=True):
        assert all(
            isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
            if isinstance(a, float) and isinstance(b, float)
            else a == b
            for a, b in zip(one, other, strict=True)
        ), (table, one, other)


def rows_of(connection: Any, table: str, columns: list[str]) -> list[Row]:
    quoted = ", ".join(f'"{column}"' for column in columns)
    cursor = connection.execute(f"select {quoted} from {table}") or connection
    return in_order(cursor.fetchall())


def in_order(rows: list[Row]) -> list[Row]:
    """Rows in one spelling and order; real numbers, whose last digits may differ, order what all else leaves equal."""

    def order(row: Row) -> tuple[str, list[float]]:
        exact = repr([value for value in row if not isinstance(value, float)])
        return exact, [value for value in row if isinstance(value, float)]

    return sorted((tuple(map(plain, row)) for row in rows), key=order)


def tables_of(snapshot: str) -> dict[str, list[str]]:
    with duckdb.connect(snapshot, read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() where not internal order by all"
        ).fetchall()
    tables: dict[str, list[str]] = {}
    for table, column in columns:
        if column not in RUN_CLOCKS and table != LOG_OF_RUNS:
            tables.setdefault(table, []).append(column)
    return tables


def test_the_fact_equals_the_oracle(
    histories: dict[str, Settings], snapshots: dict[str, str]
) -> None:
    url = histories["sqlite"].operational
    assert isinstance(url, FileUrl)
    assert_parity(snapshots["sqlite"], url.path)


@pytest.mark.parametrize("dialect", [name for name in ENGINES if name != "sqlite"])
def test_the_same_over_every_engine(dialect: str, snapshots: dict[str, str]) -> None:
    tables = tables_of(snapshots["sqlite"])
    assert tables == tables_of(snapshots[dialect])
    with (
        duckdb.connect(snapshots["sqlite"], read_only=True) as over_sqlite,
        duckdb.connect(snapshots[dialect], read_only=True) as over_other,
    ):
        for table, columns in tables.items():
            rows = rows_of(over_sqlite, table, columns)
            may_be_empty = table in ("cube_quarantine", "audit_chain_findings")
            assert rows or may_be_empty, f"{table} is empty: nothing is proven"
            assert_same(rows, rows_of(over_other, table, columns), table)


def test_built_by_the_sqlite_target(
    histories: dict[str, Settings], snapshots: dict[str, str]
) -> None:
    settings = histories["sqlite"]
    outcome = build(settings, ["--exclude", "test_type:generic"], target="sqlite", quiet=True)
    assert outcome.success, outcome.errors
    with closing(sqlite3.connect(settings.home / "build.sqlite")) as lite:
        assert_built(lite, snapshots["sqlite"])


def test_built_by_the_postgres_target(
    histories: dict[str, Settings], snapshots: dict[str, str], running: Callable[[str], Server]
) -> None:
    """Beside the operational tables, in a schema of its own; not one operational row is touched."""
    settings = histories["postgres"]
    database = replace(running("postgres"), database="same_cube")
    before = database.execute(CONTRACTS)
    outcome = build(settings, ["--exclude", "test_type:generic"], target="postgres", quiet=True)
    assert outcome.success, outcome.errors
    assert before == database.execute(CONTRACTS)
    assert not database.execute(
        "select 1 from pg_namespace where nspname in ('operational', 'sample')"
    )
    with closing(database.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("set search_path = cube")
        assert_built(cursor, snapshots["sqlite"])


def assert_built(built: Any, snapshot: str) -> None:
    """What another target built equals a published snapshot, table by table."""
    with duckdb.connect(snapshot, read_only=True) as duck:
        for table, columns in tables_of(snapshot).items():
            assert_same(rows_of(built, table, columns), rows_of(duck, table, columns), table)
