"""The dbt target `postgres`: operational tables and cube in one PostgreSQL, with the rows that target duckdb gives."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, Plan, environment
from cube_oracle.kernels import KERNELS
from servers import PASSWORD, Server
from test_dbt_build import CUBE, DAILY, DAYS, lines_in_sample
from test_same_cube import RUN_CLOCKS, assert_same, in_order, plain

from grace_dbt.operational.url import FileUrl
from grace_dbt.simulation import simulate

# What can't be accepted, what has to be masked, and what changes or goes between two runs.
ODD_ROWS = (
    "insert into action_contracts (id, action_type, expected_effect_hash, expected_effect, baseline_state, status,"
    " triggered_by, tier, created_at, verification_result, requires_approval) values"
    " ('odd-1', ' tune ', 'h', '{}', '{}', 'Größe 7-_€', 'user: Zoë ', 'tier_9', '2025-11-29 23:59:59.999999',"
    """ '{"error": {"why": ["a b", 1]}}', false),"""
    " ('odd-2', '', 'h', '{}', '{}', 'verified', 'healer', '', '2999-12-31 10:20:30.5', '[1]', true)",
)
CHANGES = (
    "update action_contracts set status = 'rolled_back' where id in"
    " (select id from action_contracts where status = 'verified' order by id limit 7)",
    "update action_contracts set status = 'verified', created_at = '2025-11-28 12:00:00' where id = 'odd-1'",
    "delete from action_contracts where id = 'odd-2'",
    "delete from benchmark_runs where id in (select id from benchmark_runs order by id limit 3)",
)
WITHOUT_TESTS = ("--exclude", "resource_type:test")


def dbt(home: Path, target: str, *command: str, **variables: str) -> str:
    """Run dbt to its end; what it printed."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", *command, "--target", target),
            *("--target-path", str(home / "dbt" / target), "--log-path", str(home / "logs")),
        ],
        cwd=ROOT,
        env=environment(home, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@dataclass
class Embedded:
    """A database that holds both, a GRACE_HOME beside it, and what the first build printed."""

    server: Server
    home: Path
    printed: str = ""

    def dbt(self, *command: str) -> str:
        return dbt(self.home, "postgres", *command, **self.server.libpq)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.execute("set search_path = cube, operational", sql)

    def operational_counts(self) -> dict[str, int]:
        tables = [p.stem.removeprefix("sample_") for p in (ROOT / "seeds/sample").glob("*.csv")]
        return {t: self.rows(f"select count(*) from operational.{t}")[0][0] for t in tables}

    def cube(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table of the cube, without the columns that carry a run's clock or count its changes."""
        return {
            table: sorted((tuple(map(plain, row)) for row in self._stable(table)), key=repr)
            for table in CUBE
        }

    def _stable(self, table: str) -> list[tuple[Any, ...]]:
        columns = self.rows(
            "select column_name from information_schema.columns"
            f" where table_schema = 'cube' and table_name = '{table}'"
        )
        kept = [
            f'"{name}"'
            for (name,) in columns
            if name not in RUN_CLOCKS and name not in ("rows_inserted", "rows_updated")
        ]
        return self.rows(f"select {', '.join(kept)} from {table}")


@pytest.fixture(scope="module")
def embedded(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    """An empty database after its first build, tests included."""
    home = tmp_path_factory.mktemp("embedded")
    made = Embedded(postgres_server.create("embedded"), home)
    made.printed = made.dbt("build")
    return made


def test_an_empty_database_is_enough(embedded: Embedded) -> None:
    assert "Deprecat" not in embedded.printed
    daily = {
        (f"{year}-{month:02d}-{day:02d}", tier): tuple(map(plain, values))
        for year, month, day, tier, *values in embedded.rows(DAILY)
    }
    assert daily.keys() == DAYS.keys()
    for day, values in DAYS.items():
        assert daily[day] == pytest.approx(values), day
    counts = embedded.operational_counts()
    assert counts == {table: lines_in_sample(table) for table in counts}
    assert all(counts.values())


def test_schemas_stand_side_by_side(embedded: Embedded) -> None:
    tables = embedded.rows(
        "select table_schema, count(*) from information_schema.tables"
        " where table_schema <> 'information_schema' and table_schema not like 'pg_%' group by table_schema"
    )
    names = {"cube", "landing", "operational", "reference", "sample", "snapshots", "staging"}
    assert {schema for schema, _ in tables} == names
    assert dict(tables)["operational"] == 96


def test_a_second_build_adds_nothing(embedded: Embedded) -> None:
    cube, counts = embedded.cube(), embedded.operational_counts()
    embedded.dbt("build", *WITHOUT_TESTS)
    assert embedded.cube() == cube
    empty = {table for table, rows in cube.items() if not rows}
    assert empty <= KERNELS, "an empty table proves nothing"
    assert embedded.operational_counts() == counts


def test_freshness_is_told_in_utc(embedded: Embedded) -> None:
    """The server is in another zone, and writes its dates as day, month, year."""
    embedded.dbt("source", "freshness", "--select", "source:verification.action_contracts")
    found = json.loads((embedded.home / "dbt" / "postgres" / "sources.json").read_text())
    with (ROOT / "seeds/sample/sample_action_contracts.csv").open(newline="") as lines:
        newest = max(
            row["created_at"] for row in csv.DictReader(lines) if row["created_at"] < "2026"
        )
    assert found["results"][0]["max_loaded_at"] == newest.replace(" ", "T") + "+00:00"


def test_nobody_is_told_the_password(embedded: Embedded) -> None:
    files = [path for path in embedded.home.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_somebodys_rows_get_no_sample(postgres_server: Server, tmp_path: Path) -> None:
    """Neither beside rows in another schema, nor among rows of the embedded one."""
    theirs = Embedded(postgres_server.create("theirs"), tmp_path / "home")
    build = ("build", "--select", "+operational_sample", *WITHOUT_TESTS)
    theirs.server.execute(
        "create table public.healing_actions (id bigint)",
        "insert into public.healing_actions values (99)",
    )
    printed = theirs.dbt(*build)
    assert "public.healing_actions" in printed
    assert "set GRACE_OPERATIONAL_URL" in printed
    assert set(theirs.operational_counts().values()) == {0}

    theirs.server.execute(
        "drop table public.healing_actions",
        "insert into operational.healing_actions (id, component, action) values (99, 'theirs', 'restart')",
    )
    assert "GRACE_OPERATIONAL_URL" not in theirs.dbt(*build)
    counts = theirs.operational_counts()
    assert {table: n for table, n in counts.items() if n} == {"healing_actions": 1}

    theirs.server.execute("delete from operational.healing_actions")
    theirs.dbt(*build)
    assert all(theirs.operational_counts().values()), "it was not their rows that kept ours away"


@dataclass
class History:
    """One simulated history in a DuckDB file and in a PostgreSQL, and the cube that each target makes of its own."""

    file: Path
    server: Server
    home: Path

    def change(self, *statements: str) -> None:
        with duckdb.connect(str(self.file)) as connection:
            for sql in statements:
                connection.execute(sql)
        self.server.execute("set time zone 'UTC'", *statements)

    def build(self) -> None:
        command = ("build", *WITHOUT_TESTS)
        dbt(self.home, "duckdb", *command, GRACE_OPERATIONAL_URL=f"duckdb:///{self.file}",
            GRACE_OPERATIONAL_SCHEMA="main")  # fmt: skip
        dbt(self.home, "postgres", *command, GRACE_OPERATIONAL_URL=self.server.plain_url,
            GRACE_OPERATIONAL_SCHEMA="public", PGPASSWORD=PASSWORD)  # fmt: skip

    def assert_same_cube(self) -> None:
        with duckdb.connect(str(self.home / "build.duckdb"), read_only=True) as connection:
            for table in CUBE:
                on_duckdb = connection.execute(f"select * from {table}")
                columns = [
                    f'"{name}"' for name, *_ in on_duckdb.description if name not in RUN_CLOCKS
                ]
                query = f"select {', '.join(columns)} from {{}}.{table}"
                expected = in_order(connection.execute(query.format("main")).fetchall())
                found = in_order(self.server.execute(query.format("cube")))
                assert expected, f"{table} is empty: nothing is proven"
                assert_same(found, expected, table)


@pytest.fixture(scope="module")
def history(
    postgres_server: Server,
    templates: Path,
    ddl_plan: dict[str, Plan],
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    home = tmp_path_factory.mktemp("history")
    file = home / "operational.duckdb"
    file.write_bytes((templates / "fresh.duckdb").read_bytes())
    end = datetime(2025, 11, 30, 12, tzinfo=UTC)
    simulate(FileUrl("duckdb", file), days=10, contracts=1500, rng_seed=11, end=end)
    server = postgres_server.create("history")
    server.execute(*(step["sql"] for step in ddl_plan["postgres"]))
    copy_rows(file, server)
    made = History(file, server, home)
    made.change(*ODD_ROWS)
    return made


def copy_rows(file: Path, server: Server) -> None:
    with (
        duckdb.connect(str(file), read_only=True) as source,
        contextlib.closing(server.connect()) as made,
    ):
        target = made.cursor()
        # Parents and children in any order; times without a zone are in UTC.
        target.execute("set session_replication_role = replica; set time zone 'UTC'")
        for (table,) in source.execute("select table_name from duckdb_tables()").fetchall():
            rows = source.execute(f'select * from "{table}"')
            names = ", ".join(f'"{name}"' for name, *_ in rows.description)
            text = io.StringIO()
            csv.writer(text).writerows(
                [r"\N" if value is None else value for value in row] for row in rows.fetchall()
            )
            text.seek(0)
            target.copy_expert(
                f"copy \"{table}\" ({names}) from stdin (format csv, null '\\N')", text
            )


def test_the_cube_is_that_of_target_duckdb(history: History) -> None:
    history.build()
    history.assert_same_cube()


def test_and_stays_so_when_rows_change(history: History) -> None:
    history.change(*CHANGES)
    history.build()
    history.assert_same_cube()
