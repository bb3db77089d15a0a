"""How tables are brought up to date: what was landed is read whatever happened between, what comes due is told and
read, and one query names each contract that is broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import prepare
from cube_oracle.rows import contract, insert

from grace_dbt.dbt_runner import DbtOutcome, run_dbt
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings

LAND, STAGE = "land_action_contracts", "stg_verification__action_contracts"
FACT = "fact_verification_executions"


class Installation:
    """A few contracts, and a build file that dbt is run on step by step."""

    def __init__(self, home: Path, database: Path) -> None:
        self.database = database
        self.settings = Settings(home, FileUrl("sqlite", database))

    def change(self, *statements: str, rows: tuple[dict[str, Any], ...] = ()) -> None:
        with sqlite3.connect(self.database) as connection:
            for row in rows:
                insert(connection, "action_contracts", row)
            for statement in statements:
                connection.execute(statement)

    def dbt(self, *command: str, **variables: Any) -> DbtOutcome:
        return run_dbt(command, self.settings, variables=variables or None)

    def run(self, model: str, clock: str, *options: str) -> None:
        outcome = self.dbt("run", "--select", model, *options, run_started_at=f"{clock}.000000")
        assert outcome.success, outcome.reason

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.settings.build_file), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def staged(self) -> dict[str, Any]:
        return dict(self.rows(f"select contract_id, contract_status from staging.{STAGE}"))

    def alter(self, statement: str) -> None:
        with duckdb.connect(str(self.settings.build_file)) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def built(
    planned_home: Path, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Three contracts, built once for all tests; each cleans up after itself."""
    folder = tmp_path_factory.mktemp("building")
    prepare(folder / "home", planned_home)
    database = folder / "operational.sqlite"
    database.write_bytes((templates / "fresh.sqlite").read_bytes())
    installation = Installation(folder / "home", database)
    installation.change(rows=tuple(contract(key) for key in "abc"))
    refresh(installation.settings)
    yield installation


def test_staging_misses_nothing_between_two_landings(built: Installation) -> None:
    """Landing ran twice, the second time under an earlier clock, before staging was asked."""
    built.change(
        "update action_contracts set status = 'failed' where id = 'a'",
        "delete from action_contracts where id = 'b'",
        rows=(contract("d"),),
    )
    built.run(LAND, "2040-01-02 00:00:00")
    built.change("update action_contracts set status = 'rolled_back' where id = 'c'")
    built.run(LAND, "2040-01-01 00:00:00")
    assert built.staged() == dict.fromkeys("abc", "verified")
    built.run(STAGE, "2040-01-03 00:00:00")
    assert built.staged() == {"a": "failed", "c": "rolled_back", "d": "verified"}

    # A landing table that is made anew has forgotten what was deleted.
    built.change("delete from action_contracts where id = 'd'")
    built.run(LAND, "2040-01-04 00:00:00", "--full-refresh")
    built.run(STAGE, "2040-01-05 00:00:00")
    assert built.staged() == {"a": "failed", "c": "rolled_back"}

    # What was deleted comes back as it was.
    built.change(rows=(contract("b"),))
    built.run(LAND, "2040-01-06 00:00:00")
    built.run(STAGE, "2040-01-06 00:00:00")
    assert built.staged() == {"a": "failed", "b": "verified", "c": "rolled_back"}


def test_a_time_ahead_is_read_when_it_is_due(built: Installation) -> None:
    """With a day of allowed skew; no row of Grace changes meanwhile."""
    read = f"select cast(created_at as varchar) from staging.{STAGE} where contract_id = 'ahead'"
    due = "select cast(due_at as varchar) from staging.int_time__due"
    built.change(rows=(contract("ahead", created_at="2041-01-02 12:00:00.5"),))
    built.run(LAND, "2041-01-01 11:00:00")
    for clock, created_at, due_at in (
        ("2041-01-01 11:00:00", None, "2041-01-01 12:00:00.5"),
        ("2041-01-01 12:00:00", None, "2041-01-01 12:00:00.5"),
        ("2041-01-01 12:00:01", "2041-01-02 12:00:00.5", None),
    ):
        built.run(STAGE, clock)
        built.run("int_time__due", clock)
        assert (built.rows(read), built.rows(due)) == ([(created_at,)], [(due_at,)])
    built.change("delete from action_contracts where id = 'ahead'")


def test_one_query_names_the_broken_contract(built: Installation) -> None:
    built.alter(f"update {FACT} set tier_key = 5, confidence_score = confidence_score + 1")

    def broken(**variables: Any) -> list[tuple[Any, ...]]:
        outcome = built.dbt(
            "test", "--store-failures", "--select", "contracts_that_stop", **variables
        )
        [node] = [n for n in outcome.nodes if n.node.resource_type == "test"]
        assert str(node.status) in ("pass", "fail"), node.message
        return built.rows(f"select rule, failures from {node.node.relation_name} order by all")

    fact = f"cube_contract_{FACT}_contract_id__dim_time__dim_mission__dim_component__dim_tier__dim_actor"
    everything = dict(broken())
    assert everything.pop(fact) == 1
    assert everything
    assert all(name.startswith("agrees_with_fact_cube_") for name in everything)
    assert broken(contracts_of=[FACT]) == [(fact, 1)]
    assert broken(contracts_of=["dim_tier"]) == []
    assert broken(contracts_of=[]) == []


def test_another_type_stops_an_incremental_model(built: Installation) -> None:
    """Without it a number would be written into a column of text, without a word."""
    built.alter(f"alter table {FACT} alter confidence_score type varchar")
    outcome = built.dbt("run", "--select", FACT)
    [failed] = outcome.with_status("error")
    assert "confidence_score is DOUBLE, declared VARCHAR" in failed.message
    assert built.dbt("run", "--select", FACT, "--full-refresh").success
