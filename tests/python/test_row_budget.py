"""What landing reads of a table over the row budget, in a backfill and in a reconcile, on every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ENGINES, prepare
from places import Place

from grace_dbt.dbt_runner import run_dbt
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import Settings

OVER = {"row_budget": 3}
SPAN = {"backfill_from": "2025-10-01T02:00:00+02:00", "backfill_to": "2025-10-02"}
STATE = "select read_mode, exact_at, rows_there from landing.landing_reads"


@dataclass
class Landing:
    """The landing table of contracts of one database, run after run."""

    place: Place
    home: Path
    kept: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def land(self, clock: str, *more: str, **variables: Any) -> dict[str, str]:
        """Run at a moment; what it wrote: `deleted`, or the tier, by key."""
        settings = Settings(self.home, OperationalUrl.parse(self.place.url))
        outcome = run_dbt(
            ["run", "--select", "land_action_contracts", *more],
            settings,
            variables={"run_started_at": clock, **variables},
        )
        assert outcome.success, outcome.errors
        return {
            key[2:]: "deleted" if is_deleted else str(tier)
            for key, tier, is_deleted in self.rows(
                "select _landing_id, tier, _is_deleted from landing.land_action_contracts"
                f" where _changed_at = timestamp '{clock}'"
            )
        }

    def write(self, *statements: str) -> None:
        """Change the operational database; its own zone may be any."""
        zone = ["set time zone 'UTC'"] if self.place.dialect == "postgres" else []
        self.place.run(*zone, *statements)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect(str(self.home / "build.duckdb"), read_only=True)) as build:
            return build.execute(sql).fetchall()

    def state(self) -> tuple[Any, ...]:
        """How the table was last read, when it was last read whole, and how many rows there are."""
        [(mode, exact_at, rows)] = self.rows(STATE)
        return mode, str(exact_at), rows


def contract(key: str, status: str, created: str, verified: str | None = None) -> str:
    key, times = key.replace("'", "''"), [f"'{t}'" if t else "null" for t in (created, verified)]
    return (
        "insert into action_contracts (id, action_type, expected_effect_hash, expected_effect,"
        " baseline_state, status, created_at, verified_at, tier, requires_approval)"
        f" values ('{key}', 'x', 'x', '{{}}', '{{}}', '{status}', {', '.join(times)}, 'tier_1', '0')"
    )


def retier(*keys: str) -> str:
    """A change that no time tells."""
    quoted = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    return f"update action_contracts set tier = 'tier_2' where id in ({quoted})"


OLD = "2025-10-01 00:00:00"
FIRST = [
    contract("new", "verified", "2025-11-14 12:00:00"),
    contract("at the edge", "verified", "2025-11-11 22:00:00"),
    # Ahead of the run's clock, which it does not move.
    contract("ahead", "verified", "2025-11-15 09:00:00"),
    contract("old", "verified", OLD, OLD),
    contract("gone", "verified", "2025-10-01 23:59:59.999999", OLD),
    contract("older", "verified", "2025-09-30 23:59:59.999999", OLD),
    contract("younger", "verified", "2025-10-02 00:00:00", OLD),
    contract("open", "pending", OLD),
    contract("it's closing", "executing", OLD),
    contract("open and gone", "pending", OLD),
    contract("verified late", "executing", OLD),
]
CHANGES = [
    retier("new", "at the edge", "old", "open", "it's closing", "verified late"),
    "update action_contracts set status = 'failed' where id = 'it''s closing'",
    "update action_contracts set status = 'verified', verified_at = '2025-11-14 12:30:00'"
    " where id = 'verified late'",
    "delete from action_contracts where id in ('gone', 'open and gone')",
    contract("one more", "verified", "2025-11-14 12:40:00"),
    contract("late", "verified", "2025-10-01 12:00:00"),
]


@pytest.fixture
def landing(
    fresh_place: Callable[[str], Place], planned_home: Path, tmp_path: Path
) -> Callable[[str], Landing]:
    """A landing model of no rows yet, over a database of a dialect."""

    def make(dialect: str) -> Landing:
        home = tmp_path / "home"
        prepare(home, planned_home)
        return Landing(fresh_place(dialect), home)

    return make


@pytest.mark.parametrize("dialect", ENGINES)
def test_a_table_over_the_budget(dialect: str, landing: Callable[[str], Landing]) -> None:
    it = landing(dialect)
    it.write(*FIRST)
    first = it.land("2025-11-14 13:00:00", "landing_reads", **OVER)
    assert len(first) == len(FIRST)
    assert it.state() == ("all", "2025-11-14 13:00:00", 11)

    # New rows and open ones, and those that were open; of the others neither changes nor deletions are told.
    it.write(*CHANGES)
    assert it.land("2025-11-14 13:05:00", **OVER) == {
        "new": "tier_2", "at the edge": "tier_2", "open": "tier_2", "it's closing": "tier_2",
        "verified late": "tier_2", "one more": "tier_1",
    }  # fmt: skip
    assert it.state() == ("window", "2025-11-14 13:00:00", 12)
    assert it.land("2025-11-14 13:10:00", **OVER) == {}

    # A backfill tells what the window did not, within its span alone.
    it.write(retier("older", "younger", "new"), "delete from action_contracts where id = 'ahead'")
    assert it.land("2025-11-14 13:15:00", **OVER, **SPAN) == {
        "old": "tier_2", "gone": "deleted", "open and gone": "deleted", "late": "tier_1",
    }  # fmt: skip
    assert it.state() == ("window", "2025-11-14 13:00:00", 11)

    # Whatever is left is found by a reconcile.
    assert it.land("2025-11-14 13:20:00", **OVER, reconcile=True) == {
        "older": "tier_2", "younger": "tier_2", "ahead": "deleted",
    }  # fmt: skip
    assert it.state() == ("all", "2025-11-14 13:20:00", 10)
    it.write("update action_contracts set tier = 'tier_3' where id = 'old'")
    assert it.land("2025-11-14 13:25:00") == {"old": "tier_3"}
    stored = it.place.run("select count(*) from action_contracts")
    assert (
        it.rows("select count(*) from landing.land_action_contracts where not _is_deleted")
        == stored
    )


KEYS = {
    "integer primary key": ["1", "2", "3", "4"],
    "text primary key": ["'a'", "1", "'\\y'", "'b'"],
    "text collate nocase primary key": ["'a'", "null", "null", "'b'"],
    "primary key": ["'a'", "1", "'1'", "'b'"],
    "blob primary key": ["'a'", "'61'", "x'61'", "'b'"],
    "text not null primary key": ["'a'", "cast(x'ff' as text)", "'\\xFF'", "'b'"],
    "text": ["'a'", "'a'", "null", "'b'"],
}


@pytest.mark.parametrize("words", KEYS)
def test_rows_that_share_a_key_are_all_read(words: str, landing: Callable[[str], Landing]) -> None:
    """As SQLite stores them: different keys, or none, that landing tells in the same words."""
    it = landing("sqlite")
    it.write(
        "drop table action_contracts",
        f"create table action_contracts (id {words}, status text, tier text, created_at text)",
    )
    for key, day in zip(KEYS[words], (1, 2, 3, 14), strict=True):
        it.write(
            f"insert into action_contracts values ({key}, 'verified', 'tier_1', '2025-11-{day:02d}')"
        )
    it.land("2025-11-14 13:00:00", "landing_reads")
    it.write("update action_contracts set tier = 'tier_2'")
    it.land("2025-11-14 13:05:00", **OVER)
    tiers = [
        tier
        for (tier,) in it.rows(
            "select tier from landing.land_action_contracts where not _is_deleted order by created_at"
        )
    ]
    mode, *_ = it.state()
    if list(KEYS).index(words) < 2:
        assert (mode, tiers) == ("window", ["tier_1", "tier_1", "tier_1", "tier_2"])
    else:
        assert (mode, tiers) == ("all", ["tier_2"] * 4)


def test_times_that_cannot_be_told_are_read(landing: Callable[[str], Landing]) -> None:
    it = landing("sqlite")
    untold = (
        "",
        "yesterday",
        " 2025-11-14 12:00:00",
        "1970-01-01 00:00:00",
        "2025-11-13T23:59:59-23:59",
    )
    stored = [f"'{time}'" for time in untold] + ["1762000000", "0.5", "x'00'"]
    for number, time in enumerate([*stored, f"'{OLD}'", "'2025-11-10T23:59:59Z'"]):
        it.write(contract(f"key {number}", "verified", OLD))
        it.write(f"update action_contracts set created_at = {time} where id = 'key {number}'")
    it.write(contract("newest", "verified", "2025-11-14T12:00:00.123456"))
    it.land("2025-11-14 13:00:00", "landing_reads")
    it.write("update action_contracts set tier = 'tier_2'")
    assert sorted(it.land("2025-11-14 13:05:00", **OVER)) == sorted(
        ["newest", *(f"key {number}" for number in range(len(stored)))]
    )


def test_all_rows_are_read_where_many_have_closed(landing: Callable[[str], Landing]) -> None:
    it = landing("sqlite")
    it.write(contract("new", "verified", "2025-11-14 12:00:00"), contract("old", "verified", OLD))
    it.write(*(contract(f"open {number}", "pending", OLD) for number in range(1001)))
    it.land("2025-11-14 13:00:00", "landing_reads")
    it.write(
        "update action_contracts set status = 'failed' where status = 'pending'", retier("old")
    )
    assert len(it.land("2025-11-14 13:05:00", **OVER)) == 1002
    assert it.state() == ("all", "2025-11-14 13:05:00", 1003)


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_targets_that_hold_both(target: str, landing: Callable[[str], Landing]) -> None:
    """The same SQL in the words of the other targets, which are parsed anew for each set of variables."""
    it = landing(target)
    settings = Settings(it.home, OperationalUrl.parse(it.place.url))
    tiers = (
        "select substr(_landing_id, 3), case when _is_deleted then 'deleted' else tier end"
        " from land_action_contracts"
    )

    def land(*more: str, **variables: Any) -> dict[str, str]:
        command = ["run", "--select", "land_action_contracts", *more]
        outcome = run_dbt(command, settings, target=target, variables=variables)
        assert outcome.success, outcome.errors
        if target == "postgres":
            return dict(it.place.run("set search_path = landing", tiers))
        with closing(sqlite3.connect(it.home / "build.sqlite")) as build:
            return dict(build.execute(tiers).fetchall())

    it.write(*FIRST)
    before = land("landing_reads")
    assert before == dict.fromkeys(before, "tier_1")
    it.write(*CHANGES)
    # By today's clock the row ahead is the newest one, and the edge of its window is another.
    seen = ("new", "open", "it's closing", "verified late")
    after = before | dict.fromkeys(seen, "tier_2") | {"one more": "tier_1"}
    assert land(**OVER) == after
    told = {"old": "tier_2", "gone": "deleted", "open and gone": "deleted", "late": "tier_1"}
    assert land(**OVER, **SPAN) == after | told
