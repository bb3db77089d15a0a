"""Questions of whoever means harm or types anything: a value stays a value, and what has no answer says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from math import inf, nan
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from conftest import GraceCli

from grace_dbt import metrics
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.metrics.periods import GRAINS
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import publish
from grace_dbt.settings import Settings

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = datetime(2026, 2, 1)
# Each is the colour of as many things as it has places here, counted from one.
COLOURS = (
    "1=1) or ('a'='a",
    "1=1) or",
    "' or '1'='1",
    '" or ""="',
    "'; drop table fact_things; --",
    "x' union select * from dim_time --",
    "/* on",
    "--",
    "\\",
    "\\'",
    "%",
    "_",
    "$colour",
    "$mq_since",
    "$1",
    "?",
    "%(mq_since)s",
    "{{ Dimension('thing__colour') }}",
    "{% raw %}",
    "${HOME}",
    "NULL",
    "null",
    "None",
    "unknown",
    " ",
    "a=b",
    "!=a",
    "a,b",
    "größe 🦆",
    "gro\u0308ße",
    "\u202eevil",
    "\ufeff",
    "line\nbreak",
    "tab\tand\rreturn",
    "\x1b[31mred\x07",
    "Red",
    "red",
    "0",
    "1e5",
    "true",
    "[1]",
    "x" * 20_000,
)
THINGS = [(colour, number) for number, colour in enumerate(COLOURS, 1) for _ in range(number)]
UNKNOWN = 7
ALL = len(THINGS) + UNKNOWN
# Number, colour and time of each: one in half an hour, in no order.
STORED: list[tuple[int, str | None, datetime]] = [
    (number, colour, FIRST + timedelta(minutes=30 * number))
    for number, colour in enumerate(
        Random(2).sample([*(colour for colour, _ in THINGS), *[None] * UNKNOWN], ALL)
    )
]
META = {"owner": "us", "unit": "count", "direction": "up", "clearance": "tier_1"}


def metric(name: str, kind: str, **parameters: Any) -> dict[str, Any]:
    """A definition as it is read from YAML."""
    filtered = {"filter": parameters.pop("filter")} if "filter" in parameters else {}
    return {
        "name": name,
        "description": name,
        "type": kind,
        "type_params": parameters,
        "config": {"meta": META},
        "declared_in": "things.yml:9",
        **filtered,
    }


WEEK_BEFORE = {"offset_window": "7 days"}
RED = "{{ Dimension('thing__colour') }} = 'red'"
DEFINED = Definitions(
    (
        {
            "name": "things",
            "model": "ref('fact_things')",
            "defaults": {"agg_time_dimension": "created_at"},
            "primary_entity": "thing",
            "dimensions": [
                {"name": "created_at", "type": "time", "type_params": {"time_granularity": "minute"}},
                {"name": "colour", "type": "categorical"},
            ],
            "measures": [
                {"name": "things", "agg": "count", "expr": "number"},
                {"name": "mean", "agg": "average", "expr": "number"},
            ],
            "declared_in": "things.yml:1",
        },
    ),
    (
        metric("things", "simple", measure="things"),
        metric("things_7d", "cumulative", measure="things", cumulative_type_params={"window": "7 days"}),
        metric("share_of_red", "ratio", numerator={"name": "things", "filter": RED}, denominator="things"),
        metric("share_of_red_backwards", "ratio", numerator="things", denominator={"name": "things", "filter": RED}),
        metric(
            "others", "derived", expr="everything - red",
            metrics=[{"name": "things", "alias": "everything"}, {"name": "things", "alias": "red", "filter": RED}],
        ),
        metric("mean", "simple", measure="mean"),
        metric("mean_of_red", "simple", measure="mean", filter=RED),
        metric("gap", "derived", expr="mean_of_red - mean", metrics=["mean_of_red", "mean"]),
        metric(
            "growth_of_share", "derived", expr="now - was",
            metrics=[{"name": "share_of_red", "alias": "now"}, {"name": "share_of_red", "alias": "was", **WEEK_BEFORE}],
        ),
        metric(
            "growth_of_mean", "derived", expr="now - was",
            metrics=[{"name": "mean", "alias": "now"}, {"name": "mean", "alias": "was", **WEEK_BEFORE}],
        ),
        metric("for_each_other", "derived", expr="things / others", metrics=["things", "others"]),
    ),
    ("tier_1", "tier_2"),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRACE_HOME with these things, one a minute."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    home.mkdir()
    settings = Settings(home, FileUrl("sqlite", home / "none.sqlite"))
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            "create table fact_things (number bigint, colour varchar, created_at timestamp);"
            f"create table dim_time as select moment as timestamp from"
            f" range(timestamp '{FIRST}', timestamp '2026-03-02', interval 1 minute) t(moment)"
        )
        connection.executemany("insert into fact_things values (?, ?, ?)", STORED)
    publish(settings, AS_OF, ["fact_things", "dim_time"], metrics=DEFINED.to_json())
    return home


def things(home: Path, **question: Any) -> int:
    """How many there are, in one number."""
    [row] = metrics.query("things", home=home, **question).rows
    found: int = row["things"]
    return found


@pytest.mark.parametrize("colour", COLOURS, ids=lambda colour: ascii(colour[:20]))
def test_a_value_is_a_value(home: Path, colour: str) -> None:
    there = COLOURS.index(colour) + 1
    for where in ({"colour": colour}, {"colour": [colour]}, [f"colour={colour}"]):
        assert things(home, where=where) == there
    assert things(home, where={"colour!": colour}) == ALL - there
    assert things(home, where=f"colour!={colour}") == ALL - there
    both = metrics.query("things", by="colour", where={"colour": [colour, "no such"]}, home=home)
    assert both.rows == [{"colour": colour, "things": there}]
    assert len(colour) < 5 or all(colour not in sql for sql in both.sql.values())


def test_values_together_are_alternatives(home: Path) -> None:
    chance = Random(3)
    for _ in range(20):
        chosen = chance.sample([*COLOURS, None], chance.randint(1, len(COLOURS)))
        there = sum(UNKNOWN if each is None else COLOURS.index(each) + 1 for each in chosen)
        assert things(home, where={"colour": chosen}) == there
        assert things(home, where={"colour!": chosen}) == ALL - there
    assert things(home, where={"colour": ["no such"] * 50_000}) == 0
    assert things(home, where={"colour!": [f"no such {n}" for n in range(50_000)]}) == ALL


def test_every_value_comes_back_as_it_is_stored(home: Path) -> None:
    expected: dict[str | None, int] = {colour: n for n, colour in enumerate(COLOURS, 1)}
    found = metrics.query("things", by="colour", home=home).rows
    assert {row["colour"]: row["things"] for row in found} == expected | {None: UNKNOWN}


@pytest.mark.parametrize("place", [0, 4, 11, 18, 28, 32, 34], ids=lambda n: ascii(COLOURS[n]))
def test_the_command_line_takes_a_value_as_it_is(home: Path, place: int) -> None:
    colour = COLOURS[place]
    done = GraceCli(home).run(
        "metrics", "query", "things", "--where", f"colour={colour}", "--format", "csv"
    )
    assert (done.returncode, done.stdout) == (0, f"things\n{place + 1}\n"), done.stderr
    done = GraceCli(home).run(
        "metrics", "query", "things", "--by", "colour", "--where", f"colour={colour}"
    )
    assert done.returncode == 0, done.stderr
    assert not {"\x1b", "\x07", "\u202e"} & {*done.stdout}, "a terminal obeys what a database says"


@pytest.mark.parametrize(
    "question",
    [
        ["\x1b]0;mine\x07"],
        ["things", "--by", "\x1b[2J"],
        ["things", "--where", "\x1b[2J"],
        ["things", "--where", "\u202e\x1b=red"],
        ["things", "--from", "\x1b[2J"],
        ["things", "--order-by", "\x9b2J"],
    ],
    ids=ascii,
)
def test_an_error_quotes_no_order_to_the_terminal(home: Path, question: list[str]) -> None:
    done = GraceCli(home).run("metrics", "query", *question)
    assert done.returncode == ExitCode.USAGE
    assert "Error: " in done.stderr
    assert "\\x" in done.stderr
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*done.stderr}


@pytest.mark.parametrize("colour", ["a\0b", "\ud800", b"red", object(), datetime(2026, 1, 1), [[]]])
def test_what_no_stored_text_is_can_t_be_compared(home: Path, colour: Any) -> None:
    with pytest.raises(GraceError, match="colour") as caught:
        things(home, where={"colour": [colour]})
    assert caught.value.exit_code == ExitCode.USAGE


HOSTILE = [
    *COLOURS, "", "things; --", "a\0b", "\ud800", "thing__colour", "metric_time", "period", "tier", "2", "*",
]  # fmt: skip


@pytest.mark.parametrize("word", HOSTILE, ids=lambda word: ascii(word[:20]))
def test_a_word_that_nobody_declared_is_refused(home: Path, word: str) -> None:
    for question in (
        {"metrics": word},
        {"metrics": ["things", word]},
        {"by": word},
        {"by": ["colour", word]},
        {"where": {word: "red"}},
        {"where": {f"{word}!": "red"}},
        {"grain": word},
        {"clearance": word},
        {"compare": word, "days": 1},
        {"since": word},
        {"until": word},
        {"target": word},
        {"order_by": word},
    ):
        with pytest.raises(GraceError) as caught:
            metrics.query(**{"metrics": "things", "home": home, **question})  # type: ignore[arg-type]
        assert caught.value.exit_code == ExitCode.USAGE, question


@pytest.mark.parametrize(
    "question",
    [
        {"metrics": None}, {"metrics": 3}, {"metrics": [3]}, {"metrics": []}, {"metrics": [None]}, {"metrics": {}},
        {"metrics": b"things"}, {"metrics": [["things"]]},
        {"by": 3}, {"by": [3]}, {"by": [None]}, {"by": [["colour"]]},
        {"where": 3}, {"where": [3]}, {"where": [None]}, {"where": {3: "red"}}, {"where": {None: "red"}},
        {"where": {"colour": []}}, {"where": {"colour": {"a": 1}}}, {"where": [("colour", "red")]},
        {"where": ["colour"]}, {"where": ["=red"]}, {"where": [""]}, {"where": {"": "red"}},
        {"since": 3}, {"since": []}, {"until": b"2026"}, {"since": ""}, {"since": "tomorrow"}, {"since": "2026-02-30"},
        {"since": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, {"since": datetime(1, 1, 1)},
        {"since": date(1, 1, 1)}, {"until": datetime.max}, {"until": datetime.max.replace(tzinfo=timezone.min)},
        {"days": 0}, {"days": -1}, {"days": True}, {"days": 1.5}, {"days": nan}, {"days": inf}, {"days": "7"},
        {"days": 10**30}, {"hours": 10**30}, {"hours": 10**10}, {"days": 1, "hours": 1}, {"days": 1, "since": FIRST},
        {"since": FIRST, "until": FIRST}, {"since": FIRST, "until": "1950-01-01"}, {"since": "2027-01-01"},
        {"grain": 3}, {"grain": []}, {"grain": "DAY"}, {"grain": "second"},
        {"compare": True}, {"compare": "previous"},
        {"compare": "previous", "since": "1901-01-01", "until": "8999-01-01"},
        {"compare": "previous", "since": "1950-01-02", "until": "8999-01-01"},
        {"clearance": 3}, {"clearance": []}, {"clearance": "tier_9"}, {"clearance": "TIER_1"},
        {"limit": 0}, {"limit": -1}, {"limit": True}, {"limit": 2.0}, {"limit": "3"},
        {"order_by": 3}, {"order_by": []}, {"descending": True}, {"target": 3}, {"target": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_question_is_wrong_usage(home: Path, question: dict[str, Any]) -> None:
    with pytest.raises(GraceError) as caught:
        metrics.query(**{"metrics": "things", "home": home, **question})
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint


@pytest.mark.parametrize("grain", [None, *GRAINS])
def test_huge_windows_end_in_an_answer_or_in_words(home: Path, grain: Any) -> None:
    """Nothing counts minutes for thousands of years."""
    for since, until in (
        ("1900-01-01", "9000-01-01"),
        ("1900-01-01", None),
        ("2026-01-01", "9000-12-31"),
        (None, "9000-12-31T23:59:59.999999-14:00"),
    ):
        for names in ("things", ["things", "things_7d"]):
            if names != "things" and grain in ("minute", "hour"):
                continue
            try:
                answer = metrics.query(names, since=since, until=until, grain=grain, home=home)
            except GraceError as error:
                assert error.exit_code == ExitCode.USAGE
                assert "periods" in error.message or "rows" in error.message
            else:
                assert sum(row["things"] or 0 for row in answer.rows) == ALL


def test_the_most_days_that_there_are(home: Path) -> None:
    assert things(home, days=46_000) == ALL
    assert things(home, hours=1_000_000) == ALL
    answer = metrics.query("things", days=20_000, compare="previous", home=home)
    assert answer.rows == [
        {"things": ALL, "things_previous": 0, "things_change": ALL, "things_change_ratio": None}
    ]


def week(beginning: datetime, *colours: str) -> list[tuple[int, str | None, datetime]]:
    """What was stored in seven days, all of it or of these colours."""
    return [
        each
        for each in STORED
        if beginning <= each[2] < beginning + timedelta(days=7)
        and (not colours or each[1] in colours)
    ]


def share_of_red(stored: list[tuple[int, str | None, datetime]]) -> float:
    return sum(colour == "red" for _, colour, _ in stored) / len(stored)


def mean(stored: list[tuple[int, str | None, datetime]]) -> float:
    return sum(number for number, _, _ in stored) / len(stored)


@pytest.mark.parametrize("colours", [(), ("red", "Red", "1e5")])
@pytest.mark.parametrize("since", [None, datetime(2026, 2, 9), datetime(2026, 2, 12, 3)])
def test_what_a_rate_was_is_made_of_all_rows_of_that_time(
    home: Path, colours: tuple[str, ...], since: datetime | None
) -> None:
    """Neither a window nor a condition makes it one of the rates of days or of slices."""
    answer = metrics.query(
        ["growth_of_share", "growth_of_mean"], grain="week", since=since, until="2026-02-16" if since else None,
        where={"colour": [*colours]} if colours else {}, home=home,
    )  # fmt: skip
    [told] = [row for row in answer.rows if row["period"] == datetime(2026, 2, 9)]
    now, before = (week(datetime(2026, 2, day), *colours) for day in (9, 2))
    assert told["growth_of_share"] == pytest.approx(share_of_red(now) - share_of_red(before))
    assert told["growth_of_mean"] == pytest.approx(mean(now) - mean(before))
    assert since is None or len(answer.rows) == 1


def test_two_metrics_of_one_mean_have_conditions_of_their_own(home: Path) -> None:
    reds = [each for each in STORED if each[1] == "red"]
    [row] = metrics.query(["mean", "mean_of_red", "gap"], home=home).rows
    of_red, of_all = mean(reds), mean(STORED)
    assert row == pytest.approx({"mean": of_all, "mean_of_red": of_red, "gap": of_red - of_all})
    rows = metrics.query(["mean", "mean_of_red", "gap"], by="colour", home=home).rows
    [red] = [row for row in rows if row["colour"] == "red"]
    assert red["gap"] == 0
    assert red["mean"] == red["mean_of_red"] == pytest.approx(of_red)


def test_divided_by_nothing_is_unknown(home: Path) -> None:
    rows = metrics.query(
        "for_each_other", by="colour", where={"colour": ["red", "Red"]}, home=home
    ).rows
    assert rows == [
        {"colour": "Red", "for_each_other": 1},
        {"colour": "red", "for_each_other": None},
    ]


def test_a_metric_beside_itself_is_told_apart(home: Path) -> None:
    """Two inputs of one name have what each of them says."""
    red = COLOURS.index("red") + 1
    names = ["share_of_red", "share_of_red_backwards", "others", "things"]
    [row] = metrics.query(names, home=home).rows
    assert row == {
        "share_of_red": red / ALL,
        "share_of_red_backwards": ALL / red,
        "others": ALL - red,
        "things": ALL,
    }


FITTING: dict[str, Any] = {
    "metrics": ["things", "others"], "by": "colour", "where": {"colour!": ["red", None]}, "since": "2026-02-01",
    "until": AS_OF, "days": 7, "hours": 30, "grain": "day", "compare": "previous", "clearance": "tier_1",
    "order_by": "things", "descending": True, "limit": 3,
}  # fmt: skip
ANYTHING: tuple[Any, ...] = (
    None, 0, 1, -1, 7, 10**12, 1.5, nan, True, "", "things", "colour", "day", "minute", "previous", "tier_1",
    "2026-02-01", FIRST, AS_OF, date(2026, 2, 1), [], ["things"], ["colour"], {"colour": "red"}, {"colour!": None},
    ["colour=red", "colour!="], {}, b"x", "period", *HOSTILE[:6],
)  # fmt: skip


def test_anything_in_any_place(home: Path) -> None:
    chance, answered, refused = Random(5), 0, 0
    for _ in range(1500):
        question = {
            place: FITTING[place] if chance.random() < 0.7 else chance.choice(ANYTHING)
            for place in chance.sample([*FITTING], chance.randint(1, 4))
        }
        try:
            metrics.query(home=home, **{"metrics": "things", **question})
            answered += 1
        except GraceError as error:
            assert error.exit_code == ExitCode.USAGE, question
            refused += 1
    assert answered > 100
    assert refused > 100
