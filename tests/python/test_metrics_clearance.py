"""What a clearance may not read is nowhere in what it gets.

A clearance is a smaller world: its answers are those of a cube that was built without the rows above it, asked with no
clearance at all. Both are asked for every metric that the catalogue has, by every slice of it. What the smaller
world holds is counted by plain Python over the operational rows as well.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import canaries
import pytest
from canaries import CLEARANCES, MARK, SPANS, Row
from conftest import ROOT, GraceCli

from grace_dbt import metrics
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics import manifests, sql_cache
from grace_dbt.metrics.answering import _Asked
from grace_dbt.metrics.answers import Answer
from grace_dbt.metrics.catalogue import Catalogue, Metric
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.metrics.periods import Window
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope, refresh
from grace_dbt.settings import Settings

OWN = ROOT / "tests" / "fixtures" / "own_metrics.txt"
HIDDEN = CLEARANCES[:-1]  # those from whom something is hidden
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Worlds:
    """Three installations: what each clearance may read, and nothing else; the last has everything."""

    homes: dict[str, Path]

    def under(self, clearance: str | None, names: str | list[str], **question: Any) -> Answer:
        """Asked of the world that has everything, under a clearance."""
        home = self.homes[CLEARANCES[-1]]
        return metrics.query(names, home=home, clearance=clearance, **question)

    def without(self, world: str, names: str | list[str], **question: Any) -> Answer:
        """Asked of the world that has no more than a clearance may read; under no clearance, if none is named."""
        return metrics.query(names, home=self.homes[world], **question)

    def available(self, clearance: str | None) -> dict[str, Metric]:
        return metrics.available(home=self.homes[CLEARANCES[-1]], clearance=clearance)


@pytest.fixture(scope="module")
def worlds(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    homes = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("GRACE_METRICS", raising=False)
        for clearance in CLEARANCES:
            homes[clearance] = tmp_path_factory.mktemp(clearance)
            (homes[clearance] / "metrics").mkdir()
            shutil.copy(OWN, homes[clearance] / "metrics" / "own.yml")
            database = homes[clearance] / "operational.sqlite"
            canaries.database(templates / "fresh.sqlite", database, clearance)
            report = refresh(Settings(homes[clearance], FileUrl("sqlite", database)), Scope())
            assert not [warning for warning in report.warnings if "own.yml" in warning]
    return Worlds(homes)


def same(value: Any) -> Any:
    """A value to compare: sums of fractions differ in their last digits with the order in which they are added."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


def told(answer: Answer) -> Rows:
    """The rows of an answer, to compare."""
    return [{name: same(value) for name, value in row.items()} for row in answer.rows]


def groups(available: dict[str, Metric]) -> Iterator[tuple[list[str], Metric]]:
    """Metrics that can be asked for together, and one of them."""
    found: dict[tuple[Any, ...], list[Metric]] = defaultdict(list)
    for metric in available.values():
        found[metric.models, metric.is_periodic, tuple(metric.slices)].append(metric)
    for together in found.values():
        yield [metric.name for metric in together], together[0]


# The whole matrix

# Facts, rollups by the hour, and rollups by the day; days on which nothing of a tier happened are in all of them.
CUT = {"since": "2025-11-05T03:00:30", "until": "2025-11-20T11:00:00.5", "grain": "week"}
DAYS = {"since": "2025-11-06", "until": "2025-11-13", "grain": "day", "compare": "previous"}


@pytest.mark.parametrize("clearance", HIDDEN)
@pytest.mark.parametrize("question", [{}, {"grain": "month"}, CUT, DAYS], ids=str)
def test_every_metric_by_every_slice_is_that_of_the_smaller_world(
    worlds: Worlds, clearance: str, question: dict[str, Any]
) -> None:
    asked, rows, sources = 0, 0, set()
    for names, metric in groups(worlds.available(clearance)):
        # Of what has no tier, and looks at nothing but its own period, all rows are there: once by each slice will do.
        has_hidden_rows = "tier" in metric.slices or metric.is_periodic
        for by in ((), *metric.slices) if has_hidden_rows or not question else ((),):
            answer = worlds.under(clearance, names, by=by, **question)
            # Once with no clearance, which is other SQL; and with the same one, which has nothing to hide there.
            of_same = {"clearance": clearance} if question else {}
            expected = worlds.without(clearance, names, by=by, **question, **of_same)
            assert told(answer) == told(expected), (names, by)
            assert answer.clearance == clearance
            assert answer.truncated == expected.truncated
            assert_no_canary(answer, clearance)
            asked, rows = asked + 1, rows + len(answer.rows)
            sources |= {table for tables in answer.sources.values() for table in tables}
    assert asked > (120 if not question else 60)
    assert rows > asked
    assert "fact_verification_executions" in sources
    if question != CUT:
        assert {"cube_daily_verification_by_tier", "cube_approval_latency"} <= sources
    # What is read for somebody from whom rows are hidden never adds up all tiers.
    assert not sources & {"cube_daily_verification_by_component", "cube_daily_verification_by_action_type",
                          "cube_playbook_effectiveness", "cube_drift"}  # fmt: skip


def assert_no_canary(answer: Answer, clearance: str) -> None:
    """That no word is there which hidden rows alone have; missions are rows of their own, which have no tier."""
    allowed = {f"{MARK}_{tier}" for tier in CLEARANCES[1 : CLEARANCES.index(clearance) + 1]}
    for row in answer.rows:
        for name, value in row.items():
            if isinstance(value, str) and MARK in value and not value.startswith(f"m-{MARK}"):
                assert any(word in value for word in allowed), (name, value)
    if clearance == "tier_1" and "fact_mission_progress" not in str(answer.sources):
        assert MARK not in str(answer.rows)


def test_the_matrix_is_about_something(worlds: Worlds) -> None:
    """Every fact that has a tier answers differently to each clearance, and the highest sees every canary."""
    with_tier = [
        (names, metric)
        for names, metric in groups(worlds.available("tier_1"))
        if any("tier" in each.slices for each in [metric])
    ]
    assert len({metric.models for _, metric in with_tier}) >= 5
    for names, _ in with_tier:
        question = {"grain": "month"}
        seen = [told(worlds.under(clearance, names, **question)) for clearance in CLEARANCES]
        assert seen[0] != seen[1] != seen[2], names
    words = {
        str(row[word])
        for word in ("action_type", "status", "actor", "mission", "component", "playbook")
        for row in worlds.under("tier_3", "executions", by=word).rows
    }
    for tier in ("tier_2", "tier_3", "null", "tier_9", "blank", "TIER_1"):
        found = {word for word in words if f"{MARK}_{tier}" in word}
        assert len(found) == 6, (tier, found)
    by_tier = worlds.under("tier_3", "executions", by="tier").rows
    assert {row["tier"]: row["executions"] for row in by_tier} == {
        "tier_1": 12, "tier_2": 14, "tier_3": 14, "unknown": 56,
    }  # fmt: skip


def test_the_highest_clearance_is_none(worlds: Worlds) -> None:
    for names, metric in groups(worlds.available(None)):
        by = next(iter(metric.slices), ())
        assert told(worlds.under("tier_3", names, by=by)) == told(worlds.under(None, names, by=by))
    assert worlds.available("tier_3").keys() == worlds.available(None).keys()
    assert worlds.under(None, "executions").clearance == "tier_3"


def test_the_matrix_would_see_a_missing_guard(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the two things that hide rows, taken away, shows."""

    def differs(**question: Any) -> bool:
        sql_cache.forget()
        shutil.rmtree(sql_cache.cache_folder(worlds.homes["tier_3"]), ignore_errors=True)
        under = worlds.under("tier_1", **question)
        return told(under) != told(worlds.without("tier_1", **question))

    rolling = {"names": "errors_7d"}
    assert not differs(names="executions")
    assert not differs(**rolling)
    with monkeypatch.context() as patched:
        patched.setattr(manifests, "_guards", lambda *_, **__: [])
        assert differs(names="executions")
    with monkeypatch.context() as patched:
        patched.setattr(_Asked, "known", Window(*SPANS["tier_3"]))
        assert differs(**rolling)
    sql_cache.forget()
    shutil.rmtree(sql_cache.cache_folder(worlds.homes["tier_3"]))


# Conditions, order and limits


@pytest.mark.parametrize("clearance", HIDDEN)
def test_a_hidden_value_is_a_value_that_never_was(worlds: Worlds, clearance: str) -> None:
    asked = 0
    for (names, *_), metric in groups(worlds.available(clearance)):
        for word in metric.slices if "tier" in metric.slices else ():
            everything = worlds.under(clearance, names, by=word)
            visible = {as_text(row[word]) for row in everything.rows}
            every = {as_text(row[word]) for row in worlds.under(None, names, by=word).rows}
            hidden = sorted(every - visible - {""})
            if not hidden:
                continue
            assert worlds.under(clearance, names, by=word, where={word: hidden}).rows == []
            others = worlds.under(clearance, names, by=word, where={f"{word}!": hidden})
            assert told(others) == told(everything)
            if not asked:
                question = {"grain": "month", "since": "2025-09-01", "until": "2026-02-01"}
                never = worlds.under(clearance, names, where={word: "never was"}, **question)
                none = worlds.under(clearance, names, where={word: hidden}, **question)
                assert told(none) == told(never)
                assert len(never.rows) == 5
            asked += 1
    assert asked > 25


def as_text(value: Any) -> str:
    """A value of a slice as a condition names it; empty for the unknown one."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("clearance", HIDDEN)
def test_order_and_limit_know_nothing_of_hidden_rows(worlds: Worlds, clearance: str) -> None:
    for names, metric in groups(worlds.available(clearance)):
        for word in metric.slices:
            for limit in (1, 2, 3):
                question = {"by": word, "order_by": names[0], "descending": True, "limit": limit}
                if metric.is_periodic:
                    question |= {"since": "2025-11-10", "until": "2025-11-12"}
                answer = worlds.under(clearance, names, **question)
                expected = worlds.without(clearance, names, **question)
                assert told(answer) == told(expected)
                assert answer.truncated == expected.truncated


@pytest.mark.parametrize("clearance", HIDDEN)
def test_an_answer_in_every_form_has_no_canary(worlds: Worlds, clearance: str) -> None:
    hidden = ["tier_2", "tier_3", "null", "tier_9", "blank", "TIER_1"][
        CLEARANCES.index(clearance) :
    ]
    for names, metric in groups(worlds.available(clearance)):
        if "tier" in metric.slices:
            answer = worlds.under(clearance, names, by=[*metric.slices], grain="day")
            text = json.dumps(answer.as_json()) + str(answer.arrow().to_pylist()) + str(answer.sql)
            assert not [word for word in hidden if f"{MARK}_{word}" in text]


# Periods


@pytest.mark.parametrize("clearance", CLEARANCES)
def test_periods_begin_and_end_with_what_may_be_read(worlds: Worlds, clearance: str) -> None:
    """The calendar of the cube goes on to both sides with rows that are hidden."""
    tiers = CLEARANCES[: CLEARANCES.index(clearance) + 1]
    moments = [
        datetime.fromisoformat(row["created_at"])
        for row in canaries.rows(clearance, "action_contracts")
    ]
    days = [row["period"] for row in worlds.under(clearance, "executions", grain="day").rows]
    assert days == each_day(min(moments), max(moments))
    first, last = SPANS[clearance]
    if clearance != CLEARANCES[-1]:
        rolling = worlds.under(clearance, "executions_7d", since="2025-08-01", until="2026-02-01")
        known = [row["period"] for row in rolling.rows if row["executions_7d"] is not None]
        assert known == each_day(first, last)
        total = worlds.under(
            clearance, "executions_to_date", since="2025-08-01", until="2026-02-01"
        )
        counted = {row["period"]: row["executions_to_date"] for row in total.rows}
        assert counted[last] == len(moments)
        assert counted[last + timedelta(days=1)] is None
        assert counted[first - timedelta(days=1)] is None
    by_tier = worlds.under(clearance, "executions", by="tier", grain="month")
    assert {row["tier"] for row in by_tier.rows} - {"unknown"} == {*tiers}


def each_day(first: datetime, last: datetime) -> list[datetime]:
    begin = first.replace(hour=0, minute=0, second=0, microsecond=0)
    return [begin + timedelta(days=n) for n in range((last - begin).days + 1)]


# What is counted, by plain Python

Number = float | int | None


def seconds(row: Row, end: str) -> float | None:
    if not row.get(end):
        return None
    return (
        datetime.fromisoformat(row[end]) - datetime.fromisoformat(row["created_at"])
    ).total_seconds()


def mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def percentile(values: list[float | None], share: float) -> float | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    place = share * (len(known) - 1)
    low = int(place)
    high = min(low + 1, len(known) - 1)
    return known[low] + (known[high] - known[low]) * (place - low)


def largest(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def drift(row: Row) -> float:
    return abs(float(json.loads(row["delta_from_baseline"])["latency"]))


def durations(rows: list[Row]) -> list[float | None]:
    return [seconds(row, "verified_at") for row in rows]


def decisions(rows: list[Row]) -> list[float | None]:
    return [seconds(row, "decided_at") for row in rows if row["status"] in ("approved", "rejected")]


# Metric: table, and what of its rows.
COUNTED: dict[str, tuple[str, Callable[[list[Row]], Number]]] = {
    "executions": ("action_contracts", len),
    "successful_executions": ("action_contracts", lambda rows: sum(r["status"] == "verified" for r in rows)),
    "rolled_back_executions": ("action_contracts", lambda rows: sum(r["status"] == "rolled_back" for r in rows)),
    "executions_with_snapshot": ("action_contracts", lambda rows: sum(bool(r["safe_hold_snapshot_id"]) for r in rows)),
    "rollback_rate": ("action_contracts", lambda rows: mean([r["status"] == "rolled_back" for r in rows])),
    "average_confidence": ("action_contracts", lambda rows: mean([r["confidence_score"] for r in rows])),
    "average_duration": ("action_contracts", lambda rows: mean(durations(rows))),
    "duration_p50": ("action_contracts", lambda rows: percentile(durations(rows), 0.5)),
    "duration_p95": ("action_contracts", lambda rows: percentile(durations(rows), 0.95)),
    "longest_duration": ("action_contracts", lambda rows: largest(durations(rows))),
    "own_total_duration": ("action_contracts", lambda rows: sum(d for d in durations(rows) if d is not None)),
    "own_any": ("action_contracts", lambda rows: sum(d for d in durations(rows) if d is not None)),
    "own_shortest": ("action_contracts", lambda rows: min(d for d in durations(rows) if d is not None)),
    "own_best": ("action_contracts", lambda rows: largest([r["confidence_score"] for r in rows])),
    "own_median": ("action_contracts", lambda rows: percentile(durations(rows), 0.5)),
    "own_p99": ("action_contracts", lambda rows: percentile(durations(rows), 0.99)),
    "own_mean_duration": ("action_contracts", lambda rows: mean(durations(rows))),
    "own_either": ("action_contracts", lambda rows: sum(r["action_type"] in ("restart", "deploy") for r in rows)),
    "playbook_runs": ("playbook_runs", len),
    "successful_playbook_runs": ("playbook_runs", lambda rows: sum(r["status"] == "succeeded" for r in rows)),
    "benchmarks": ("benchmark_runs", len),
    "passed_benchmarks": ("benchmark_runs", lambda rows: sum(r["passed"] for r in rows)),
    "average_drift": ("benchmark_runs", lambda rows: mean([drift(r) for r in rows])),
    "largest_drift": ("benchmark_runs", lambda rows: largest([drift(r) for r in rows])),
    "approval_requests": ("approval_requests", len),
    "own_requests": ("approval_requests", len),
    "approved_requests": ("approval_requests", lambda rows: sum(r["status"] == "approved" for r in rows)),
    "average_decision_latency": ("approval_requests", lambda rows: mean(decisions(rows))),
    "decision_latency_p95": ("approval_requests", lambda rows: percentile(decisions(rows), 0.95)),
    "compliance_checks": ("constitutional_compliance", len),
    "average_compliance_score": ("constitutional_compliance", lambda rows: mean([r["compliance_score"] for r in rows])),
    "tasks": ("execution_tasks", len),
    "missions": ("mission_timelines", len),
    "votes": ("governance_votes", len),
}  # fmt: skip
SLICED = {
    "action_contracts": {
        "action_type": "action_type",
        "status": "status",
        "playbook": "playbook_id",
    },
    "benchmark_runs": {"benchmark_type": "benchmark_type"},
    "approval_requests": {"status": "status"},
    "playbook_runs": {"status": "status"},
    "constitutional_compliance": {"action_type": "action_type"},
    "execution_tasks": {"task_type": "task_type"},
}


@pytest.mark.parametrize("clearance", CLEARANCES)
def test_what_is_counted_is_what_plain_python_counts(worlds: Worlds, clearance: str) -> None:
    checked = 0
    for name, (table, count) in COUNTED.items():
        if name not in worlds.available(clearance):
            continue
        rows = canaries.rows(clearance, table)
        assert rows
        [row] = worlds.under(clearance, name).rows
        assert row[name] == pytest.approx(count(rows)), name
        slices = worlds.available(clearance)[name].slices
        for word, column in SLICED.get(table, {}).items():
            if (
                word not in slices or name == "own_either"
            ):  # which is nothing where its condition never holds
                continue
            expected: dict[Any, list[Row]] = defaultdict(list)
            for each in rows:
                expected[each[column]].append(each)
            answer = worlds.under(clearance, name, by=word)
            assert {r[word]: r[name] for r in answer.rows} == {
                value: pytest.approx(count(group)) for value, group in expected.items()
            }, (name, word)
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("clearance", CLEARANCES)
def test_a_fact_with_a_tier_and_one_without_in_one_metric(worlds: Worlds, clearance: str) -> None:
    contracts = len(canaries.rows(clearance, "action_contracts"))
    errors = sum(r["action"] == "error.detected" for r in canaries.rows(clearance, "immutable_log"))
    assert errors == 24  # which have no tier: who may read the metric sees all of them
    assert worlds.under(clearance, "own_mixed").rows == [{"own_mixed": errors + contracts}]
    [row] = worlds.under(clearance, "errors_per_execution").rows
    assert row["errors_per_execution"] == pytest.approx(errors / contracts)
    if clearance == "tier_1":
        assert "own_checked_share" not in worlds.available(clearance)
    else:
        checks = len(canaries.rows(clearance, "constitutional_compliance"))
        [row] = worlds.under(clearance, "own_checked_share").rows
        assert row["own_checked_share"] == pytest.approx(checks / contracts)


# Metrics that are hidden themselves


def hidden_metrics(worlds: Worlds, clearance: str) -> list[str]:
    return sorted({*worlds.available(None)} - {*worlds.available(clearance)})


def refused(ask: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[str, str, int]:
    with pytest.raises(GraceError) as error:
        ask(*arguments, **named)
    return error.value.message, error.value.hint, int(error.value.exit_code)


@pytest.mark.parametrize("clearance", HIDDEN)
def test_a_metric_above_a_clearance_does_not_exist(worlds: Worlds, clearance: str) -> None:
    """All that is said of it is what is said where nobody ever defined it."""
    available = worlds.available(None)
    hidden = hidden_metrics(worlds, clearance)
    assert {"votes", "own_votes_and_runs"} <= {*hidden}
    assert ("missions" in hidden) == (clearance == "tier_1")
    order = CLEARANCES.index
    assert {*hidden} == {n for n, m in available.items() if order(m.clearance) > order(clearance)}
    home = worlds.homes["tier_3"]
    [file] = (home / "snapshots").glob("metrics-*.json")
    published = Definitions.from_json(file.read_text())
    never = Catalogue(
        Definitions(
            published.semantic_models,
            tuple(each for each in published.metrics if each["name"] not in hidden),
            published.clearances,
        )
    )
    assert never.metrics.keys() == worlds.available(clearance).keys()
    alike = {alike for name in hidden for alike in (name[:-1], f"{name}s", name[1:])}
    alike -= {*available, *(word for metric in available.values() for word in metric.slices)}
    for name in [*hidden, *sorted(alike)]:
        expected = refused(never.metric, name, None)
        assert expected[2] == 2
        for found in (
            refused(worlds.under, clearance, name),
            refused(worlds.under, clearance, ["executions", name], by="tier", days=3),
            refused(metrics.metric, name, home=home, clearance=clearance),
        ):
            assert found == expected
            spoken = f"{found[0]} {found[1]}".replace(f"'{name}'", "").strip("?.").split()
            assert not {*spoken} & {*hidden}
        # As a slice or as a column it is a word like any other.
        for key in ("by", "order_by"):
            message, hint, _ = refused(worlds.under, clearance, "executions", **{key: name})
            other = refused(worlds.under, clearance, "executions", **{key: "zzzzz"})
            assert message.replace(name, "zzzzz") == other[0]
            assert not {*hint.strip("?.").split()} & {*hidden}


def test_nothing_that_can_be_read_names_what_can_not(worlds: Worlds) -> None:
    for clearance in HIDDEN:
        hidden = hidden_metrics(worlds, clearance)
        for name, metric in worlds.available(clearance).items():
            assert not {*re.findall(r"\w+", metric.formula)} & {*hidden}, name


def test_clearances_that_there_are_not(worlds: Worlds) -> None:
    for clearance in (
        "",
        "tier_9",
        "TIER_1",
        "tier_1 ",
        "unknown",
        "1",
        "tier_1' or '1'='1",
        "тier_1",
    ):
        message, _, code = refused(lambda c=clearance: worlds.under(c, "executions"))
        assert "There is no clearance" in message
        assert code == ExitCode.USAGE


def test_on_the_command_line_as_in_python(worlds: Worlds) -> None:
    cli = GraceCli(worlds.homes["tier_3"])
    never = cli.run("metrics", "query", "nonsense_of_mine", "--clearance", "tier_2")
    hidden = cli.run("metrics", "query", "votes", "--clearance", "tier_2")
    assert (hidden.returncode, hidden.stdout) == (never.returncode, never.stdout) == (2, "")
    first = never.stderr.splitlines()[0].replace("nonsense_of_mine", "votes")
    assert hidden.stderr.splitlines()[0] == first
    described = cli.run("metrics", "describe", "votes", "--clearance", "tier_2")
    assert (described.returncode, described.stderr) == (2, hidden.stderr)
    listed = json.loads(cli.run("metrics", "list", "--clearance", "tier_1", "--json").stdout)
    assert {each["name"] for each in listed} == {*worlds.available("tier_1")}
    done = cli.run(
        *("metrics", "query", "executions", "longest_duration", "--by", "action_type", "--grain", "month"),
        *("--clearance", "tier_1", "--format", "json"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert MARK not in done.stdout
    expected = worlds.without(
        "tier_1", ["executions", "longest_duration"], by="action_type", grain="month"
    )
    assert json.loads(done.stdout)["rows"] == expected.as_json()["rows"]
