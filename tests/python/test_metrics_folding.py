"""Facts that are folded before they are joined give what counting them one by one gives."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from grace_dbt import metrics
from grace_dbt.metrics.checks import sound_definitions
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import publish
from grace_dbt.settings import Settings

FIRST, DAYS, FACTS = datetime(2026, 1, 20), 40, 600
AS_OF = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
# Two wordings of one tier, which are one tier; and a tier that nobody knows.
TIERS = {1: "tier_1", 2: "tier_2", 3: "tier_2", 4: "tier_3", -1: "unknown"}
SNAPSHOT_REQUIRED = {1: False, 2: False, 3: True, 4: True, -1: None}
MISSIONS = {10: "scheduled_task", 11: "scheduled_task", 12: "user_request", -1: "unknown"}
STATUSES = ("verified", "failed", "pending", None)


class Fact(NamedTuple):
    """One row of the fact, as it is written."""

    key: int
    tier: int
    mission: int
    status: str | None
    successful: bool
    snapshot: bool
    seconds: float | None
    created_at: datetime | None


def made_up() -> list[Fact]:
    chance = random.Random(7)
    facts = []
    for key in range(FACTS):
        status = chance.choice(STATUSES)
        moment = FIRST + timedelta(seconds=chance.uniform(0, DAYS * 86_400))
        facts.append(
            Fact(
                key, chance.choice([*TIERS]), chance.choice([*MISSIONS]), status, status == "verified",
                chance.random() < 0.5, round(chance.uniform(-5, 500), 3) if chance.random() < 0.8 else None,
                moment if chance.random() < 0.95 else None,
            )
        )  # fmt: skip
    return facts


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    return made_up()


@pytest.fixture(scope="module")
def home(facts: list[Fact], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRACE_HOME with these facts, without any rollup, and with the project's own metrics."""
    home = tmp_path_factory.mktemp("folding") / "home"
    home.mkdir()
    settings = Settings(home, FileUrl("sqlite", home / "none.sqlite"))
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            f"""
            create table dim_time as select moment as timestamp from
                range(timestamp '{FIRST}', timestamp '{FIRST + timedelta(DAYS)}', interval 1 minute) t(moment);
            create table dim_tier (tier_key bigint, tier_code varchar, tier_name varchar, requires_snapshot boolean,
                risk_level varchar);
            create table dim_mission (mission_key bigint, mission_id varchar, mission_type varchar,
                final_status varchar);
            create table fact_verification_executions (execution_key bigint, tier_key bigint, mission_key bigint,
                contract_status varchar, was_successful boolean, created_snapshot boolean, duration_seconds double,
                created_at timestamp, was_rolled_back boolean, component_key bigint, actor_key bigint,
                action_type varchar, playbook_id varchar, confidence_score double)
            """
        )
        connection.executemany(
            "insert into dim_tier values (?, ?, ?, ?, 'low')",
            [(key, code, f"name {key}", SNAPSHOT_REQUIRED[key]) for key, code in TIERS.items()],
        )
        connection.executemany(
            "insert into dim_mission values (?, ?, ?, 'completed')",
            [(key, f"mission {key}", kind) for key, kind in MISSIONS.items()],
        )
        connection.executemany(
            "insert into fact_verification_executions values (?, ?, ?, ?, ?, ?, ?, ?, false, -1, -1, 'tune', null, 1)",
            [tuple(fact) for fact in facts],
        )
    defined = sound_definitions(settings)[0]
    without = tuple({**model, "config": {}} for model in defined.semantic_models)
    defined = Definitions(without, defined.metrics, defined.clearances)
    tables = ["dim_time", "dim_tier", "dim_mission", "fact_verification_executions"]
    publish(settings, AS_OF, tables, metrics=defined.to_json())
    return home


def asked(home: Path, name: str, by: str, *, folded: bool, **how: Any) -> dict[Any, Any]:
    """The values of a metric by period and slice, those that are unknown or nothing left out."""
    answer = metrics.query(name, by=by, home=home, **how)
    assert answer.sources == {name: ("fact_verification_executions",)}
    [sql] = answer.sql.values()
    assert ("folded_executions" in sql) == folded
    rows = {(row.get("period"), row[by]): row[name] for row in answer.rows}
    assert rows
    return {key: value for key, value in rows.items() if value}


def counted(
    facts: Iterable[Fact], key: Callable[[Fact], Any], value: Callable[[list[Fact]], Any]
) -> dict[Any, Any]:
    groups: dict[Any, list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[key(fact)].append(fact)
    found = {each: value(group) for each, group in groups.items()}
    return {each: number for each, number in found.items() if number}


def mean(group: list[Fact]) -> float | None:
    seconds = [fact.seconds for fact in group if fact.seconds is not None]
    return sum(seconds) / len(seconds) if seconds else None


def longest(group: list[Fact]) -> float | None:
    return max((fact.seconds for fact in group if fact.seconds is not None), default=None)


def day(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)


VALUES: dict[str, Callable[[list[Fact]], Any]] = {
    "executions": len,
    "successful_executions": lambda group: sum(fact.successful for fact in group),
    "verification_success_rate": lambda group: sum(f.successful for f in group) / len(group),
    "average_duration": mean,
    "longest_duration": longest,
}


@pytest.mark.parametrize("name", VALUES)
def test_parts_make_the_whole(name: str, home: Path, facts: list[Fact]) -> None:
    found = asked(home, name, "tier", folded=True)
    assert found == pytest.approx(counted(facts, lambda f: (None, TIERS[f.tier]), VALUES[name]))


@pytest.mark.parametrize("name", VALUES)
def test_a_window_cuts_within_a_period(name: str, home: Path, facts: list[Fact]) -> None:
    since, until = (
        FIRST + timedelta(days=3, hours=7, seconds=1),
        FIRST + timedelta(days=20, hours=1),
    )
    found = asked(home, name, "mission_type", folded=True, since=since, until=until, grain="day")
    within = [f for f in facts if f.created_at and since <= f.created_at < until]
    expected = counted(within, lambda f: (day(f.created_at), MISSIONS[f.mission]), VALUES[name])
    assert found == pytest.approx(expected)


def test_conditions_and_clearance_are_asked_of_folded_facts(home: Path, facts: list[Fact]) -> None:
    how = {"where": ["status!=pending", "mission_type=scheduled_task"], "clearance": "tier_2"}
    found = asked(home, "executions", "status", folded=True, **how)
    kept = [
        fact
        for fact in facts
        if fact.status != "pending" and TIERS[fact.tier] in ("tier_1", "tier_2")
    ]
    kept = [fact for fact in kept if MISSIONS[fact.mission] == "scheduled_task"]
    assert found == counted(kept, lambda f: (None, f.status), len)


def test_a_metric_s_own_condition_on_a_dimension_holds(home: Path, facts: list[Fact]) -> None:
    found = asked(home, "required_snapshot_coverage", "status", folded=True)
    kept = [fact for fact in facts if SNAPSHOT_REQUIRED[fact.tier]]
    expected = counted(
        kept, lambda f: (None, f.status), lambda group: sum(f.snapshot for f in group) / len(group)
    )
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("by", ["tier", "status"])
def test_a_rolling_metric_counts_each_fact_once_a_day(
    by: str, home: Path, facts: list[Fact]
) -> None:
    found = asked(home, "executions_7d", by, folded=True)
    slices: dict[str, Callable[[Fact], Any]] = {
        "tier": lambda fact: TIERS[fact.tier],
        "status": lambda fact: fact.status,
    }
    expected: dict[Any, int] = defaultdict(int)
    for fact in facts:
        begins = day(fact.created_at)
        for later in range(7) if begins else ():
            assert begins
            if begins + timedelta(later) < FIRST + timedelta(DAYS):
                expected[begins + timedelta(later), slices[by](fact)] += 1
    assert found == expected


def test_what_parts_do_not_make_is_counted_whole(home: Path, facts: list[Fact]) -> None:
    found = asked(home, "duration_p50", "tier", folded=False)

    def median(group: list[Fact]) -> float | None:
        seconds = sorted(fact.seconds for fact in group if fact.seconds is not None)
        place = (len(seconds) - 1) / 2
        low, high = int(place), -int(-place // 1)
        return (seconds[low] + seconds[high]) / 2 if seconds else None

    assert found == pytest.approx(counted(facts, lambda f: (None, TIERS[f.tier]), median))


def test_nothing_is_folded_where_nothing_is_joined(home: Path, facts: list[Fact]) -> None:
    found = asked(home, "executions", "status", folded=False)
    assert found == counted(facts, lambda f: (None, f.status), len)
