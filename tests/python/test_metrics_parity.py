"""Metrics: function == command line == plain SQL over the facts == plain Python over operational rows; rollup == fact.

The questions are made up from one seed, over made-up rows with everything odd in them: see `metrics_oracle`.
"""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import isclose
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import pytest
import yaml
from conftest import ROOT, Plan
from cube_oracle.compare import assert_same
from cube_oracle.cube import Expected, Oracle
from cube_oracle.source import Row
from metrics_oracle import answers, meanings, periods, postgres_copy
from metrics_oracle.answers import Finding, Found, answer, from_rows
from metrics_oracle.facts import Facts
from metrics_oracle.grid import WINDOWS, Grid, between
from metrics_oracle.operations import AS_OF, relax, write
from metrics_oracle.periods import DAILY, GRAINS, Span
from metrics_oracle.plain_sql import from_tables
from metrics_oracle.questions import METRICS, Condition, Question
from metrics_oracle.rollups import ROLLUPS, Rollup
from servers import PASSWORD, Server
from test_postgres_target import WITHOUT_TESTS, dbt
from typer.testing import CliRunner

from grace_dbt import metrics
from grace_dbt.cli.app import app
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics import cubes, sources
from grace_dbt.metrics.answers import Answer
from grace_dbt.metrics.periods import Window
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings

Target = Literal["duckdb", "postgres"]
TARGETS: tuple[Target, ...] = get_args(Target)


@dataclass
class World:
    """The operational rows, and the facts that are to come of them."""

    database: Path
    expected: Expected
    facts: Facts

    def answer(self, question: Question) -> list[Row]:
        """From the operational rows."""
        return self.told(question, from_rows(self.facts))

    def told(self, question: Question, find: Finding) -> list[Row]:
        """From values that are found in any way."""
        return answer(question, AS_OF, self.facts.days, find)


@dataclass
class Cube:
    """A cube that can be asked in the words of metrics, and in SQL."""

    target: Target
    home: Path
    run: Callable[[str], list[tuple[Any, ...]]]
    url: str = ""

    def ask(self, question: Question) -> Answer:
        with self.chosen():
            return metrics.query(home=self.home, target=self.target, **question.arguments())

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """An environment in which it is the one that is asked."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRACE_HOME", str(self.home))
            if self.url:
                patch.setenv("GRACE_OPERATIONAL_URL", self.url)
            else:
                patch.delenv("GRACE_OPERATIONAL_URL", raising=False)
            yield


class AsOf(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return AS_OF.replace(tzinfo=tz)


@pytest.fixture(scope="module")
def world(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("operational")
    database = Path(shutil.copy(templates / "fresh.sqlite", folder / "operational.sqlite"))
    relax(database)
    with closing(sqlite3.connect(database)) as connection:
        write(connection)
    expected = Oracle().refresh(database, AS_OF)
    return World(database, expected, Facts(expected))


@pytest.fixture(scope="module")
def on_duckdb(world: World) -> Iterator[Cube]:
    settings = Settings(world.database.parent / "home", FileUrl("sqlite", world.database))
    module = sys.modules["grace_dbt.refresh"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "next_clock", lambda _: AS_OF.replace(tzinfo=UTC))
        patch.setattr(module, "datetime", AsOf)
        snapshot = refresh(settings).snapshot.snapshot_path
    assert_same(world.expected, snapshot)
    with duckdb.connect(snapshot, read_only=True) as connection:
        yield Cube("duckdb", settings.home, lambda sql: connection.execute(sql).fetchall())


@pytest.fixture(scope="module")
def on_postgres(world: World, postgres_server: Server, ddl_plan: dict[str, Plan]) -> Iterator[Cube]:
    server = postgres_server.create("metrics_parity")
    server.execute(*(step["sql"] for step in ddl_plan["postgres"]))
    postgres_copy.copy(world.database, server)
    home = world.database.parent / "postgres"
    clock = json.dumps({"run_started_at": str(AS_OF)})
    dbt(home, "postgres", "build", "--vars", clock, *WITHOUT_TESTS,
        GRACE_OPERATIONAL_URL=server.plain_url, GRACE_OPERATIONAL_SCHEMA="public", PGPASSWORD=PASSWORD)  # fmt: skip
    with closing(server.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("set search_path = cube")

        def run(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        yield Cube("postgres", home, run, server.url)


@pytest.fixture(scope="module", params=TARGETS)
def cube(request: pytest.FixtureRequest) -> Cube:
    found: Cube = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture(scope="module")
def grid(world: World) -> dict[str, list[Question]]:
    """The questions by the metric that they begin with."""
    return Grid(world.facts, AS_OF).questions()


@pytest.fixture(scope="module")
def right(world: World, grid: dict[str, list[Question]]) -> dict[Question, list[Row]]:
    """The answer to each question of the grid."""
    return {question: world.answer(question) for asked in grid.values() for question in asked}


def difference(expected: list[Row], found: list[Row]) -> str:
    """The first row that differs, in words; rows have an order, and so have their columns."""
    if len(expected) != len(found):
        return f"{len(found)} rows and not {len(expected)}: {found[:3]} and not {expected[:3]}"
    for place, (right, there) in enumerate(zip(expected, found, strict=True)):
        if list(right) != list(there) or not all(map(is_same, right.values(), there.values())):
            return f"row {place} is {there}\n        and not {right}"
    return ""


def is_same(expected: Any, found: Any) -> bool:
    """Equal values of one type; an engine adds up real numbers in its own order, so their last digits are its own."""
    if isinstance(expected, float) or (expected == 0 and isinstance(found, float)):
        is_number = isinstance(found, float)
        return is_number and isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9)
    return type(expected) is type(found) and bool(expected == found)


# Questions that went wrong, or well might.

SILENCE = between(datetime(2025, 12, 8), datetime(2025, 12, 20, 12))
BEFORE_ALL = between(datetime(2025, 10, 20), datetime(2025, 12, 2))
ACTIONS_LOOKING_BACK = (
    "executions_7d", "successful_executions_7d", "verification_success_rate_7d", "executions_month_to_date",
    "executions_to_date",
)  # fmt: skip
HARD = {
    "a rolling value is that of the last day, also after a silence": [
        Question(ACTIONS_LOOKING_BACK, window, (), grain)
        for window in (SILENCE, BEFORE_ALL, ())
        for grain in ("week", "month", "quarter")
    ],
    "of a slice as well": [
        Question(ACTIONS_LOOKING_BACK, BEFORE_ALL, ("tier",), "month"),
        Question(("errors_7d",), (), ("severity", "source"), "quarter", compare=False),
    ],
    "a month to date is none of the month before": [
        Question(
            ("executions_month_to_date",),
            between(datetime(2025, 11, 26), datetime(2025, 12, 2)),
            ("action_type",),
            "week",
        )
    ],
    "in a period of which some days are known, nothing is 0": [
        Question(
            ("executions_7d", "executions"),
            between(datetime(2025, 10, 20), datetime(2025, 11, 20)),
            ("playbook",),
            grain,
        )
        for grain in ("day", "week", "month", "year")
    ],
    "nothing of one fact is 0 for each of another": [
        Question(("errors_per_execution",), (), ("component",), grain) for grain in (None, "month")
    ],
    "what is not known is one slice of several facts": [
        Question(
            ("executions", "required_snapshot_coverage", "healing_effectiveness", "duration_p95"),
            (),
            ("action_type",),
            "month",
        ),
        Question(("tasks", "throughput", "queue_wait_p50"), (), ("task_type",), "quarter"),
    ],
    "what has no time is one period of several facts": [
        Question(("errors_per_execution", "playbook_runs"), (), ("component",), "quarter"),
        Question(("tasks", "throughput"), (), ("status",), "month"),
    ],
    "minutes with nothing in them are there": [
        Question(
            ("executions", "average_duration"),
            between(datetime(2025, 12, 31, 23, 50), datetime(2026, 1, 1, 0, 10, 30)),
            (),
            "minute",
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_what_is_hard(cube: Cube, world: World, name: str) -> None:
    for question in HARD[name]:
        expected = world.answer(question)
        assert expected
        assert not difference(expected, world.told(question, from_tables(cube.run))), question
        assert not difference(expected, cube.ask(question).rows), question


@pytest.mark.parametrize("window", WINDOWS)
def test_an_answer_says_of_which_time_it_is(cube: Cube, window: str) -> None:
    question = Question(("executions",), WINDOWS[window], compare=len(WINDOWS[window]) == 2)
    found, span = cube.ask(question), question.span(AS_OF)
    assert found.as_of == AS_OF.replace(tzinfo=UTC)
    assert (found.window.since, found.window.until) == (span.since, span.until)
    if question.compare:
        assert found.previous
        assert (found.previous.since, found.previous.until) == (span.before().since, span.since)


# The grid.


def test_every_metric_has_an_oracle(cube: Cube) -> None:
    with cube.chosen():
        known = metrics.available(home=cube.home, target=cube.target)
    assert known.keys() == METRICS.keys()
    assert {name: {*each.slices} for name, each in known.items()} == {
        name: meaning.slices for name, meaning in METRICS.items()
    }


@pytest.mark.parametrize("metric", METRICS)
def test_all_answers_agree(
    cube: Cube, world: World, grid: dict[str, list[Question]], metric: str
) -> None:
    told = []
    for question in grid[metric]:
        expected = world.answer(question)
        others = {
            "plain SQL": world.told(question, from_tables(cube.run)),
            "the function": cube.ask(question).rows,
        }
        told += [
            f"{question}\n    {who}: {differing}"
            for who, rows in others.items()
            if (differing := difference(expected, rows))
        ]
    assert not told, "\n".join(told)


def test_the_grid_has_everything(
    world: World, grid: dict[str, list[Question]], right: dict[Question, list[Row]]
) -> None:
    asked = [question for found in grid.values() for question in found]
    assert {question.metrics[0] for question in asked} == METRICS.keys()
    assert {question.grain for question in asked} == {None, *GRAINS}
    assert {question.window for question in asked} == {*WINDOWS.values()}
    grid_of = Grid(world.facts, AS_OF)
    assert {pair for question in asked for pair in grid_of.cut_apart(question)} == {
        (meaning.parts, word) for meaning in METRICS.values() for word in meaning.slices
    }
    assert {len(question.by) for question in asked} == {0, 1, 2}
    for has in (
        lambda question: question.compare,
        lambda question: len(question.metrics) > 1,
        lambda question: any(condition.is_negated for condition in question.where),
        lambda question: any(None in condition.values for condition in question.where),
        lambda question: any(len(condition.values) > 1 for condition in question.where),
    ):
        assert sum(map(has, asked)) > 3
    rows = [row for answered in right.values() for row in answered]
    assert len(rows) > 5_000
    assert sum(row.get("period", 0) is None for row in rows) > 10, "nothing is without a time"
    for name in METRICS:
        assert {row[name] for row in rows if name in row} - {None, 0}, f"{name} is never anything"


def test_each_metric_is_told_from_the_others(
    world: World, grid: dict[str, list[Question]], right: dict[Question, list[Row]]
) -> None:
    """One that is defined as another of the same rows gives another answer somewhere."""
    for name, asked in grid.items():
        for other in METRICS[name].siblings(METRICS):
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(METRICS, name, METRICS[other])
                told_apart = any(right[question] != world.answer(question) for question in asked)
            assert told_apart, f"{name} might be {other}"


@pytest.mark.parametrize(("target", "share"), [("duckdb", 6), ("postgres", 24)])
def test_the_command_line_says_the_same(
    target: Target,
    share: int,
    world: World,
    grid: dict[str, list[Question]],
    request: pytest.FixtureRequest,
) -> None:
    cube: Cube = request.getfixturevalue(f"on_{target}")
    asked = [question for found in grid.values() for question in found][::share]
    assert len(asked) > 5
    for question in asked:
        with cube.chosen():
            command = [
                "metrics",
                "query",
                *question.options(),
                "--format",
                "json",
                "--limit",
                "5000",
            ]
            done = CliRunner().invoke(app, [*command, "--target", target])
        assert done.exit_code == 0, f"{question}: {done.output}"
        told = json.loads(done.stdout)["rows"]
        expected = [
            {name: in_json(value) for name, value in row.items()} for row in world.answer(question)
        ]
        assert not difference(expected, told), f"{question}: {difference(expected, told)}"


def in_json(value: Any) -> Any:
    """Times in ISO 8601, with the zone that they are in."""
    return f"{value.isoformat()}+00:00" if isinstance(value, datetime) else value


def test_a_query_that_takes_too_long_is_stopped(cube: Cube) -> None:
    question = Question(("duration_p95",), (), ("actor", "component"), "minute")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cubes, "TIMEOUT", 0.001)
        with pytest.raises(GraceError, match=r"stopped after 0\.001 s") as caught:
            cube.ask(question)
    assert caught.value.exit_code == ExitCode.BAD
    assert cube.ask(replace(question, grain="month")).rows


# Rollups.

# Where days begin, and where none does: what a rollup by the day can't tell.
ALIGNED = {
    "day": ((), between(datetime(2025, 11, 30), datetime(2026, 1, 17))),
    "hour": (between(datetime(2025, 11, 30, 21), datetime(2026, 1, 16, 11)),),
}


def asked_of_rollup(rollup: Rollup) -> list[Question]:
    """All that it tells by every length of a period, over windows, slices and conditions in turns."""
    found = []
    for place, grain in enumerate([None, *GRAINS[GRAINS.index(rollup.grain) :]]):
        window = ALIGNED[rollup.grain][place % len(ALIGNED[rollup.grain])]
        known = Condition(rollup.slices[0], (None, "unknown", "'"), is_negated=True)
        found.append(
            Question(
                metrics=rollup.metrics + (rollup.looking_back if grain in DAILY else ()),
                window=window,
                by=rollup.slices[: 1 + place % 3],
                grain=grain,
                where=(known,) if place % 4 == 3 else (),
                compare=bool(window) and place % 2 == 1,
            )
        )
    return found


@contextmanager
def without_rollups() -> Iterator[None]:
    """Everything is read from facts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "rollups_of", lambda *_: iter(()))
        yield


@pytest.mark.parametrize("name", ROLLUPS)
def test_a_rollup_says_what_the_fact_says(cube: Cube, world: World, name: str) -> None:
    asked = asked_of_rollup(ROLLUPS[name])
    for question in asked if cube.target == "duckdb" else asked[2:3]:
        rolled_up = cube.ask(question)
        assert rolled_up.sources == dict.fromkeys(question.metrics, (name,)), question
        with without_rollups():
            told = cube.ask(question)
        assert all(table.startswith("fact_") for [table] in told.sources.values())
        assert len(told.rows) > 2
        assert not difference(told.rows, rolled_up.rows), question
        assert not difference(world.answer(question), rolled_up.rows), question


def test_every_rollup_of_a_metric_is_known() -> None:
    """As the definitions say it, and told here by hand: a new one is held against its fact, too."""
    declared = {}
    for file in (ROOT / "models/semantic").glob("*.yml"):
        for model in yaml.safe_load(file.read_text()).get("semantic_models") or ():
            for rollup in model.get("config", {}).get("meta", {}).get("rollups", ()):
                declared[rollup["table"]] = (rollup["grain"], {*rollup["slices"]})
    assert declared == {name: (each.grain, {*each.slices}) for name, each in ROLLUPS.items()}


def test_a_metric_names_the_rollups_that_answer_for_it(on_duckdb: Cube) -> None:
    named: dict[str, set[str]] = defaultdict(set)
    for name, each in metrics.available(home=on_duckdb.home).items():
        for rollup in each.rollups:
            named[rollup] |= set() if METRICS[name].span else {name}
    assert named == {name: {*rollup.metrics} for name, rollup in ROLLUPS.items()}


WHOLE_DAYS = ALIGNED["day"][1]
FROM_FACTS = (
    Question(("executions",), WINDOWS["seven days"]),
    Question(("executions",), WINDOWS["within minutes"], ("tier",), "month"),
    Question(("executions",), WHOLE_DAYS, ("actor",)),
    Question(("executions",), WHOLE_DAYS, ("tier", "component")),
    Question(("executions",), WHOLE_DAYS, ("tier",), "minute"),
    Question(("executions",), WHOLE_DAYS, ("tier",), where=(Condition("status", ("verified",)),)),
    Question(("duration_p95",), WHOLE_DAYS, ("tier",)),
    Question(("longest_duration",), WHOLE_DAYS, ("tier",)),
    Question(("required_snapshot_coverage",), WHOLE_DAYS, ("tier",)),
    Question(("throughput",), WHOLE_DAYS, ("task_type",)),
    Question(("errors_per_execution",), WHOLE_DAYS, ("component",), "day"),
    Question(("approval_requests",), (), ("tier",), "hour"),
)  # fmt: skip


@pytest.mark.parametrize("question", FROM_FACTS, ids=str)
def test_what_no_rollup_tells_exactly_is_read_from_facts(
    on_duckdb: Cube, world: World, question: Question
) -> None:
    found = on_duckdb.ask(question)
    assert all(table.startswith("fact_") for tables in found.sources.values() for table in tables)
    if question.grain != "minute":
        assert not difference(world.answer(question), found.rows)


def test_a_rollup_in_the_wrong_place_is_seen(on_duckdb: Cube, world: World) -> None:
    question = FROM_FACTS[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Window, "is_aligned", lambda *_: True)
        found = on_duckdb.ask(question)
    assert found.sources == {"executions": ("cube_daily_verification_by_tier",)}
    assert difference(world.answer(question), found.rows)


# The oracle itself.


def test_the_oracle_counts_as_one_does_by_hand() -> None:
    percentile = meanings.percentile
    assert [percentile([4, 1, 2], share) for share in (0, 0.5, 0.75, 1)] == [1, 2, 3, 4]
    assert percentile([1, 2], 0.95) == pytest.approx(1.95)
    assert percentile([], 0.5) is None
    new_year = datetime(2026, 1, 1, 5, 6, 7)
    assert [periods.begin(new_year, grain) for grain in GRAINS] == [
        datetime(2026, 1, 1, 5, 6), datetime(2026, 1, 1, 5), datetime(2026, 1, 1), datetime(2025, 12, 29),
        datetime(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1),
    ]  # fmt: skip
    assert [periods.next_after(datetime(2025, 12, 29), grain) for grain in DAILY] == [
        datetime(2025, 12, 30), datetime(2026, 1, 5), datetime(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1),
    ]  # fmt: skip
    assert Span(datetime(2026, 3, 1), datetime(2026, 5, 1)).before().since == datetime(2026, 1, 1)
    assert Span(datetime(2026, 3, 2), datetime(2026, 3, 3)).before().since == datetime(2026, 3, 1)
    january = date(2026, 1, 10)
    assert answers.reach("7 days", january) == Span(datetime(2026, 1, 4), datetime(2026, 1, 11))
    assert answers.reach("month", january) == Span(datetime(2026, 1, 1), datetime(2026, 1, 11))


DAY = timedelta(days=1)
Patch = pytest.MonkeyPatch
Mistake = Callable[[Patch], None]


def _of(name: str, of: Callable[[list[Row]], Any]) -> Mistake:
    return lambda patch: patch.setitem(METRICS, name, replace(METRICS[name], of=of))


def _mean_of_rates(rows: list[Row]) -> float | None:
    by_day: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[row["created_at"] and row["created_at"].date()].append(row)
    shares = [sum(r["was_successful"] for r in day) / len(day) for day in by_day.values()]
    return sum(shares) / len(shares) if shares else None


def _sum_of_rates(rows: list[Row]) -> float | None:
    mean, days = (
        _mean_of_rates(rows),
        {row["created_at"] and row["created_at"].date() for row in rows},
    )
    return None if mean is None else mean * len(days)


def _nearest_rank(values: list[float], share: float) -> float | None:
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _weeks_from_sunday(patch: Patch) -> None:
    right = periods.begin

    def begin(moment: datetime, grain: str) -> datetime:
        return right(moment + DAY, grain) - DAY if grain == "week" else right(moment, grain)

    patch.setattr(periods, "begin", begin)
    patch.setattr(answers, "begin", begin)


def _windows(change: Callable[[Span], Span]) -> Mistake:
    right = Question.span
    return lambda patch: patch.setattr(Question, "span", lambda *given: change(right(*given)))


def _at_midnight(moment: datetime | None) -> datetime | None:
    return moment and datetime(moment.year, moment.month, moment.day)


def _stretch(change: Callable[[list[Any], Found], list[Any]]) -> Mistake:
    right = answers.stretch_of
    return lambda patch: patch.setattr(
        answers, "stretch_of", lambda found: change(right(found), found)
    )


def _reach(change: Callable[[str, Any], Span]) -> Mistake:
    right = answers.reach
    return lambda patch: patch.setattr(
        answers, "reach", lambda span, day: change(span, right(span, day))
    )


def _wider_calendar(patch: Patch) -> None:
    right, wider = answers.last_days, [date(2025, 10, 1) + n * DAY for n in range(150)]
    patch.setattr(answers, "last_days", lambda span, _, grain: right(span, wider, grain))


def _nothing_is(value: Any) -> Mistake:
    right = answers.value_of
    return lambda patch: patch.setattr(
        answers, "value_of", lambda *given: value if right(*given) in (0, None) else right(*given)
    )


def _admits(change: Callable[[Condition, Any, bool], bool]) -> Mistake:
    right = Condition.admits
    return lambda patch: patch.setattr(
        Condition, "admits", lambda self, value: change(self, value, right(self, value))
    )


MISTAKES: dict[str, Mistake] = {
    "a rate is the mean of rates": _of("verification_success_rate", _mean_of_rates),
    "rates are added up": _of("verification_success_rate", _sum_of_rates),
    "a percentile is a value that was there": lambda patch: patch.setattr(
        meanings, "percentile", _nearest_rank
    ),
    "a mean counts what is not known": _of(
        "average_confidence",
        lambda rows: sum(row["confidence_score"] or 0 for row in rows) / len(rows),
    ),
    "weeks begin on Sunday": _weeks_from_sunday,
    "the end of a window is in it": _windows(
        lambda span: Span(span.since, span.until and span.until + timedelta(microseconds=1))
    ),
    "a window begins at midnight": _windows(
        lambda span: Span(_at_midnight(span.since), span.until)
    ),
    "a window ends at midnight": _windows(lambda span: Span(span.since, _at_midnight(span.until))),
    "a window begins with the minute": _windows(
        lambda span: Span(span.since and span.since.replace(second=0, microsecond=0), span.until)
    ),
    "what is ahead of the snapshot is left out": _windows(
        lambda span: Span(span.since, span.until or AS_OF)
    ),
    "periods with nothing in them are left out": _stretch(
        lambda stretch, found: [p for p in stretch if p in {period for period, _ in found.keys}]
    ),
    "the unknown period is left out": _stretch(
        lambda stretch, _: [p for p in stretch if p is not None] or stretch
    ),
    "the unknown period comes first": _stretch(
        lambda stretch, _: sorted(stretch, key=lambda period: period is not None)
    ),
    "nothing is unknown": _nothing_is(0),
    "nothing is never 0": _nothing_is(None),
    "seven days are eight": _reach(
        lambda span, right: Span(right.until - 8 * DAY, right.until) if span == "7 days" else right
    ),
    "the last day is not in": _reach(lambda _, right: Span(right.since, right.until - DAY)),
    "a month to date is thirty days": _reach(
        lambda span, right: Span(right.until - 30 * DAY, right.until) if span == "month" else right
    ),
    "to date begins with the window": _reach(
        lambda span, right: Span(datetime(2025, 12, 1), right.until) if span == "all" else right
    ),
    "what looks back is 0 beyond the known days": _wider_calendar,
    "what is not known is none of the others": _admits(
        lambda condition, value, right: right and not (condition.is_negated and value is None)
    ),
    "what is not known is no alternative": _admits(
        lambda _, value, right: right and value is not None
    ),
    "only the first alternative counts": _admits(
        lambda condition, value, _: (value == condition.values[0]) is not condition.is_negated
    ),
    "a month before is thirty-one days": lambda patch: patch.setattr(
        periods, "_is_first", lambda _: False
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_seen(
    world: World, grid: dict[str, list[Question]], right: dict[Question, list[Row]], name: str
) -> None:
    """The grid has a question that is answered otherwise by whoever makes it."""
    with pytest.MonkeyPatch.context() as patch:
        MISTAKES[name](patch)
        assert any(
            difference(right[question], world.answer(question))
            for asked in grid.values()
            for question in asked
        )
