"""Whether a ballot agrees with the majority of its session: a later ballot may change what earlier ones are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from conftest import prepare
from places import Place

from grace_dbt.dbt_runner import run_dbt
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import Settings

Flags = dict[str, bool | None]
FLAGS = "select vote_id, agrees_with_majority from fact_governance_votes"


def ballot(number: int, session: int, vote: str, weight: float = 1.0) -> str:
    return (
        "insert into governance_votes (id, session_id, member_id, vote, vote_weight, created_at)"
        f" values ({number}, {session}, {number}, '{vote}', {weight}, '2025-11-14 12:00:00')"
    )


@pytest.mark.parametrize("target", ["duckdb", "sqlite", "postgres"])
def test_every_ballot_of_a_session_is_stamped_again(
    target: str, fresh_place: Callable[[str], Place], planned_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    prepare(home, planned_home)
    place = fresh_place(target)
    settings = Settings(home, OperationalUrl.parse(place.url))

    def flags(*more: str) -> Flags:
        """By number of the ballot, after a run."""
        command = ["run", "--select", "+fact_governance_votes", *more]
        outcome = run_dbt(command, settings, target=target)
        assert outcome.success, outcome.errors
        if target == "postgres":
            rows = place.run("set search_path = cube", FLAGS)
        elif target == "sqlite":
            with closing(sqlite3.connect(home / "build.sqlite")) as lite:
                rows = lite.execute(FLAGS).fetchall()
        else:
            with closing(duckdb.connect(str(home / "build.duckdb"), read_only=True)) as duck:
                rows = duck.execute(FLAGS).fetchall()
        return {number: None if flag is None else bool(flag) for number, flag in rows}

    # Two against one, whatever the one weighs; one against one; blanks, which no other ballot has either.
    place.run(
        ballot(1, 1, "approve"), ballot(2, 1, "approve"), ballot(3, 1, "reject", 9.0),
        ballot(4, 2, "approve"), ballot(5, 2, "Approve"),
        ballot(6, 3, " "), ballot(7, 3, " "), ballot(8, 3, "abstain"),
    )  # fmt: skip
    before: Flags = {"1": True, "2": True, "3": False, "4": None, "5": None}
    blanks: Flags = {"6": None, "7": None, "8": True}
    assert flags() == before | blanks

    # A later ballot ties one session and settles another; not one of the earlier ballots was written.
    place.run(ballot(9, 1, "reject"), ballot(10, 2, "Approve"))
    tied: Flags = dict.fromkeys(("1", "2", "3", "9"))
    settled: Flags = {"4": False, "5": True, "10": True}
    assert flags() == tied | settled | blanks

    # The majority turns; a ballot that is gone, and one that moves to another session, change those that stay.
    place.run(
        ballot(11, 1, "reject"),
        "delete from governance_votes where id = 10",
        "update governance_votes set session_id = 3 where id = 4",
    )
    turned: Flags = {"1": False, "2": False, "3": True, "9": True, "11": True}
    moved: Flags = {"4": None, "5": True, "6": None, "7": None, "8": None}
    assert flags() == turned | moved
    assert flags("--full-refresh") == turned | moved
