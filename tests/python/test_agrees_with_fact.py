"""The test that a rollup loses and doubles nothing fires where it should, and only there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import FILES
from jinja2 import Environment
from raw_drivers import RawDatabase

TEST = Path(__file__).parents[2] / "tests" / "generic" / "agrees_with_fact.sql"
TOTALS = {"total": "count(*)", "seconds_sum": "sum(seconds)", "seconds_count": "count(seconds)"}


def found(
    dialect: str, rollup: list[str], fact: list[str], totals: dict[str, str] = TOTALS, **more: str
) -> set[str]:
    """What the test complains of, given rows of a rollup and of its fact."""
    text = re.sub(r"{% (end)?test", r"{% \1macro", TEST.read_text())
    query = (
        Environment()
        .from_string(text, {"relation_of": lambda name: name})
        .module.agrees_with_fact(  # type: ignore[attr-defined]
            "rollup", "fact", totals, **more
        )
    )
    database = RawDatabase.in_memory(dialect)
    database.execute(
        "create table rollup (total bigint, seconds_sum double precision, seconds_count bigint)"
    )
    database.execute("create table fact (seconds double precision)")
    for table, rows in (("rollup", rollup), ("fact", fact)):
        for row in rows:
            database.execute(f"insert into {table} values ({row})")
    return {total for total, _, _ in database.execute(query)}


@pytest.mark.parametrize("dialect", FILES)
def test_it_fires_where_they_differ(dialect: str) -> None:
    fact = ["0.1", "0.2", "null"]
    assert found(dialect, ["1, 0.1, 1", "2, 0.2, 1"], fact) == set()
    assert found(dialect, ["3, 0.30000000000000004, 2"], fact) == set()
    assert found(dialect, ["4, 0.3, 2"], fact) == {"total"}
    assert found(dialect, ["3, 0.301, 2"], fact) == {"seconds_sum"}
    assert found(dialect, ["3, 0.3, 3"], fact) == {"seconds_count"}
    assert found(dialect, ["3, null, 2"], fact) == {"seconds_sum"}
    assert found(dialect, ["100000000, 0, 0"], ["null"] * 2) == {"total"}


@pytest.mark.parametrize("dialect", FILES)
def test_one_is_not_empty_alone(dialect: str) -> None:
    sums = {"seconds_sum": "sum(seconds)"}
    assert found(dialect, [], []) == set()
    assert found(dialect, [], ["null"], sums) == {"one is empty"}
    assert found(dialect, ["0, null, 0"], [], sums) == {"one is empty"}
    assert found(dialect, [], ["null"], sums, counted="count(seconds)") == set()
