"""The key patterns of tests/singular, each broken once.

Three databases: the embedded schema of both engines, and a live SQLite file read as text.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from grace_dbt.operational.attach import attach_operational
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.sqlite_functions import register

ROOT = Path(__file__).parents[2]
DATABASES = ("duckdb", "sqlite", "live")

Row = tuple[str, dict[str, Any]]
Breach = tuple[str, str, str]


@dataclass(frozen=True)
class Case:
    """Rows that break one rule.

    Attributes:
        test: The dbt test that must warn.
        rule: What its failing row must say.
        keys: The row keys it must name.
        rows: The rows to write, the last ones bad.
        refused: Whether a constraint of our own schema keeps the last row out.
    """

    test: str
    rule: str
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    refused: bool = False


def read_declaration() -> dict[str, list[dict[str, Any]]]:
    """The columns of every declared table."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((ROOT / "models" / "operational").glob("*/_*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            tables |= {table["name"]: table["columns"] for table in source["tables"]}
    return tables


DECLARED = read_declaration()
FILLING = {
    "text": "x",
    "json": "{}",
    "integer": 1,
    "real": 0.5,
    "boolean": True,
    "timestamp": "2025-11-02 10:00:00",
}


def complete(row: Row, number: int) -> Row:
    """The row with something in every column that must not be null and has no default."""
    table, values = row
    filled: dict[str, Any] = {}
    for column in DECLARED[table]:
        kinds = {constraint["type"] for constraint in column.get("constraints", [])}
        if kinds & {"primary_key", "unique"}:
            is_text = column["data_type"] == "text"
            filled[column["name"]] = f"{table}-{number}" if is_text else number
        elif "not_null" in kinds and "default" not in column.get("config", {}).get("meta", {}):
            filled[column["name"]] = FILLING[column["data_type"]]
    return table, filled | values


def at(hour: int) -> str:
    return f"2025-11-02 {hour:02}:00:00"


def model(key: str, stage: str, approved: bool, version: str = "1.0") -> Row:
    values = {"id": key, "model_id": key, "stage": stage, "version": version}
    return "models", values | {"governance_approved": approved}


def approval(model_id: str, decision: str, version: str = "1.0") -> Row:
    return "model_approvals", {"model_id": model_id, "decision": decision, "version": version}


def plan(key: str, **values: Any) -> Row:
    return "intel_plans", {"plan_id": key, "req_id": "request", "risk_level": "high"} | values


def step(key: str, stage: int, share: int, hour: int, status: str) -> Row:
    """A step of a canary: the key is `<deployment>/<anything>`."""
    values = {"id": key, "deployment_id": key.partition("/")[0], "started_at": at(hour)}
    shares = {"stage": stage, "traffic_percentage": share, "status": status}
    return "canary_progress", values | shares


def canary(key: str, current_step: int | None, status: str = "active", **values: Any) -> Row:
    stands: dict[str, Any] = {"deployment_id": key, "current_step": current_step, "status": status}
    return "intel_canary_deployments", stands | {"steps": "[5, 25, 50, 100]"} | values


def breaker(key: str, state: str, failures: int, failed_at: str | None) -> Row:
    values = {"id": key, "state": state, "failure_count": failures, "failure_threshold": 5}
    return "circuit_breakers", values | {"last_failure_time": failed_at}


def move(number: int, from_state: str, to_state: str) -> Row:
    return "state_transitions", {"id": number, "from_state": from_state, "to_state": to_state}


def trust(number: int, source: str, old: float, new: float) -> Row:
    values = {"id": number, "source_id": source, "old_reputation": old, "new_reputation": new}
    return "source_trust_history", values


def result(key: str, success: bool, uncertainties: str | None) -> tuple[Row, Row]:
    values = {"req_id": key, "success": success, "uncertainties_json": uncertainties}
    return ("intel_requests", {"req_id": key}), ("intel_results", values)


def shadow(key: str, samples: int, agreement: float | None) -> Row:
    values = {"deployment_id": key, "sample_count": samples, "current_agreement": agreement}
    return "intel_shadow_deployments", values


def dataset_version(key: str, version: str, lineage: str, *splits: float | None) -> Row:
    values: dict[str, Any] = {"version_id": key, "dataset_id": "corpus", "version": version}
    values |= zip(("train_split", "valid_split", "test_split"), splits, strict=False)
    return "dataset_versions", values | {"lineage_hash": lineage}


def silver(key: str, score: float) -> Row:
    values = {"record_id": key, "source_id": "feed", "raw_event_id": "event"}
    return "silver_records", values | {"trust_score": score}


GOOD: tuple[Row, ...] = (
    model("served", "production", True),
    approval("served", "rejected"),
    approval("served", "approved"),
    model("tried", "staging", False),
    approval("tried", "pending"),
    *(
        ("model_deployments", {"id": key, "model_id": "served"})
        for key in ("from_0", "from_1", "odd", "leap", "late", "early", "failing")
    ),
    step("from_0/a", 0, 5, 1, "completed"),
    step("from_0/b", 1, 25, 2, "completed"),
    step("from_0/c", 2, 50, 3, "completed"),
    step("from_0/d", 3, 100, 4, "running"),
    step("from_1/a", 1, 5, 1, "failed"),
    step("from_1/again", 1, 5, 2, "completed"),
    step("from_1/b", 2, 25, 3, "rolled_back"),
    ("governance_decisions", {"decision_id": "yes", "approved": True}),
    ("governance_decisions", {"decision_id": "no", "approved": False}),
    ("intel_requests", {"req_id": "request"}),
    plan(
        "ran",
        governance_approved=True,
        governance_decision_id="yes",
        status="completed",
        pre_flight_status="passed",
    ),
    plan("waits", status="ready"),
    plan("was_rejected", status="rejected", pre_flight_status="done"),
    plan("failed_pre_flight", status="failed", pre_flight_status="failed"),
    plan("harmless", risk_level="low", status="completed", pre_flight_status="passed"),
    canary("first_step", 0),
    canary("last_step", 3, steps="[5.0,25.0,50.0,100.0]"),
    canary("past_the_end", 4, "promoted"),
    canary("given_up", 1, "rolled_back"),
    breaker("shut", "closed", 4, at(1)),
    breaker("never_failed", "closed", 0, None),
    breaker("tripped", "open", 5, at(1)),
    breaker("trying", "half_open", 0, at(1)),
    move(8, "idle", "observe"),
    move(9, "closed", "open"),
    move(10, "observe", "decide"),
    move(11, "open", "half_open"),
    move(12, "half_open", "open"),
    move(13, "half_open", "closed"),
    ("sources", {"source_id": "feed"}),
    ("sources", {"source_id": "blog"}),
    ("bronze_raw_events", {"event_id": "event", "source_id": "feed"}),
    silver("trusted", 1.0),
    ("processing_metrics", {"source_id": "feed", "trust_mean": 0.0}),
    ("processing_metrics", {"source_id": "feed", "trust_mean": None}),
    trust(9, "feed", 0.5, 0.3),
    trust(10, "feed", 0.3, 0.7),
    trust(11, "blog", 0.9, 1),
    *result("answered", True, '{"variance": 0.1}'),
    *result("unanswered", False, None),
    shadow("just_begun", 0, None),
    shadow("compared", 3, 0.5),
    ("datasets", {"dataset_id": "corpus"}),
    dataset_version("first", "1.0", "aa", 0.7, 0.2, 0.1),
    dataset_version("second", "1.1", "aa", 0.9, 0.1, None),
    dataset_version("not_split", "1.2", "bb", None, None, None),
)

UNAPPROVED = "a high-risk plan needs a governance decision before it runs"
UNCERTAIN = "a successful result carries uncertainties"
AT_A_STEP = "a canary stands at one of its steps"
THE_STEPS = "the steps of a canary are 5, 25, 50, 100"
IN_ORDER = "a canary takes its steps in order and skips none"
AGREEMENT = "a shadow deployment with samples has an agreement in 0..1"
LEFT_CLOSED = "a breaker that left closed has seen a failure"
LEGAL_MOVES = "a breaker goes from closed to open, to half_open, and on to closed or open"

CASES = (
    Case(
        "production_models_have_an_approval",
        "a production model needs an approval of its version",
        ("bad_release",),
        # An approval of the release before does not carry over.
        (model("bad_release", "production", True, "2.0"), approval("bad_release", "approved")),
    ),
    Case(
        "production_models_have_an_approval",
        "a production model needs an approval of its version",
        ("bad_rejected",),
        (model("bad_rejected", "production", True), approval("bad_rejected", "rejected")),
    ),
    Case(
        "model_approval_flags_match_their_records",
        "a model marked as approved needs an approval of its version",
        ("bad_flag", "bad_release", "bad_rejected"),
        (model("bad_flag", "staging", True),),
    ),
    Case(
        "model_approval_flags_match_their_records",
        "a production model is marked as approved",
        ("bad_unmarked",),
        (model("bad_unmarked", "production", False), approval("bad_unmarked", "approved")),
    ),
    Case(
        "high_risk_plans_are_approved_before_they_run",
        UNAPPROVED,
        ("bad_executing", "bad_no_decision", "bad_failed", "bad_pre_flight"),
        (
            plan("bad_executing", status="executing", governance_decision_id="yes"),
            plan("bad_no_decision", status="completed", governance_approved=True),
            plan("bad_failed", status="failed"),
            plan("bad_pre_flight", pre_flight_status="passed"),
        ),
    ),
    Case(
        "high_risk_plans_are_approved_before_they_run",
        "a critical-risk plan needs a governance decision before it runs",
        ("bad_critical",),
        (plan("bad_critical", risk_level="critical", status="executing"),),
    ),
    Case(
        "approved_plans_cite_an_approving_decision",
        "an approved plan cites a decision that approves",
        ("bad_refused", "bad_unknown"),
        (
            plan("bad_refused", governance_approved=True, governance_decision_id="no"),
            plan("bad_unknown", governance_approved=True, governance_decision_id="none"),
        ),
    ),
    Case(
        "canary_steps_are_5_25_50_100",
        THE_STEPS,
        ("bad_order", "bad_length", "bad_json"),
        (
            canary("bad_order", 0, steps="[5, 50, 25, 100]"),
            canary("bad_length", 0, steps="[5, 25, 50, 100, 100]"),
            canary("bad_json", 0, steps='"5, 25, 50, 100"'),
        ),
    ),
    Case(
        "canary_current_step_is_in_its_list",
        AT_A_STEP,
        ("bad_below", "bad_beyond", "bad_active_end", "bad_nowhere"),
        (
            canary("bad_below", -1),
            canary("bad_beyond", 5, "promoted"),
            canary("bad_active_end", 4),
            canary("bad_nowhere", None),
        ),
    ),
    Case(
        "canary_current_step_is_in_its_list",
        "a promoted canary has come to the last step",
        ("bad_promoted",),
        (canary("bad_promoted", 2, "promoted"),),
    ),
    Case(
        "canary_progress_walks_5_25_50_100",
        "a canary step carries 5, 25, 50, 100 percent",
        ("odd/bad",),
        (step("odd/bad", 0, 10, 1, "running"),),
    ),
    Case(
        "canary_progress_walks_5_25_50_100",
        IN_ORDER,
        ("leap/bad", "leap/bad_gap", "late/bad"),
        (
            step("leap/a", 0, 5, 1, "completed"),
            step("leap/bad", 1, 50, 2, "completed"),
            step("leap/bad_gap", 3, 25, 3, "completed"),
            step("late/bad", 0, 25, 1, "running"),
        ),
    ),
    Case(
        "canary_progress_walks_5_25_50_100",
        "a canary step begins after the step below it",
        ("early/bad",),
        (
            step("early/a", 0, 5, 5, "completed"),
            step("early/bad", 1, 25, 4, "running"),
        ),
    ),
    Case(
        "canary_progress_goes_on_from_a_completed_step",
        "a canary goes on only from a completed step",
        ("failing/bad",),
        (
            step("failing/a", 0, 5, 1, "failed"),
            step("failing/bad", 1, 25, 2, "running"),
        ),
    ),
    Case(
        "circuit_breakers_stand_where_their_counters_put_them",
        "a breaker is closed, open or half_open",
        ("bad_ajar",),
        (breaker("bad_ajar", "ajar", 0, None),),
        refused=True,
    ),
    Case(
        "circuit_breakers_stand_where_their_counters_put_them",
        LEFT_CLOSED,
        ("bad_open", "bad_half_open"),
        (breaker("bad_open", "open", 5, None), breaker("bad_half_open", "half_open", 5, None)),
    ),
    Case(
        "circuit_breakers_stand_where_their_counters_put_them",
        "a closed breaker counts fewer failures than its threshold",
        ("bad_closed",),
        (breaker("bad_closed", "closed", 5, at(1)),),
    ),
    Case(
        "state_transitions_join_up",
        "a move starts from the state that the move before it entered",
        ("102",),
        (move(101, "decide", "act"), move(102, "idle", "observe")),
    ),
    Case(
        "breaker_transitions_are_legal",
        LEGAL_MOVES,
        ("103", "104"),
        (move(103, "open", "closed"), move(104, "closed", "half_open")),
    ),
    Case(
        "trust_scores_lie_in_0_to_1",
        "silver_records.trust_score lies in 0..1",
        ("bad_score",),
        (silver("bad_score", 1.5),),
        refused=True,
    ),
    Case(
        "trust_scores_lie_in_0_to_1",
        "processing_metrics.trust_mean lies in 0..1",
        ("901", "902"),
        (
            ("processing_metrics", {"id": 901, "source_id": "feed", "trust_mean": -0.1}),
            ("processing_metrics", {"id": 902, "source_id": "feed", "trust_mean": float("inf")}),
        ),
    ),
    Case(
        "trust_scores_lie_in_0_to_1",
        "source_trust_history.new_reputation lies in 0..1",
        ("901",),
        (trust(901, "gone", 0.5, 1.1),),
        refused=True,
    ),
    Case(
        "trust_scores_lie_in_0_to_1",
        "source_trust_history.old_reputation lies in 0..1",
        ("902",),
        (trust(902, "away", -1, 0.5),),
        refused=True,
    ),
    Case(
        "trust_history_joins_up",
        "a change of reputation starts from the one before it",
        ("903",),
        (trust(903, "feed", 0.6, 0.7),),
    ),
    Case(
        "successful_results_carry_uncertainties",
        UNCERTAIN,
        ("bad_null", "bad_empty"),
        (*result("bad_null", True, None), *result("bad_empty", True, "{ }")),
    ),
    Case(
        "shadow_deployments_measure_agreement",
        AGREEMENT,
        ("bad_unmeasured", "bad_agreement"),
        (shadow("bad_unmeasured", 3, None), shadow("bad_agreement", 3, 1.2)),
    ),
    Case(
        "dataset_versions_never_change",
        "a dataset version has one lineage for ever",
        ("bad_before", "bad_after"),
        (
            dataset_version("bad_before", "2.0", "aa", 0.8, 0.1, 0.1),
            dataset_version("bad_after", "2.0", "bb", 0.8, 0.1, 0.1),
        ),
        refused=True,
    ),
    Case(
        "dataset_versions_never_change",
        "a dataset version is published once",
        ("bad_once", "bad_twice"),
        (
            dataset_version("bad_once", "3.0", "aa", 0.8, 0.1, 0.1),
            dataset_version("bad_twice", "3.0", "aa", 0.8, 0.1, 0.1),
        ),
        refused=True,
    ),
    Case(
        "dataset_splits_add_up_to_one",
        "the splits of a dataset version add up to 1",
        ("bad_sum",),
        (dataset_version("bad_sum", "4.0", "aa", 0.8, 0.1, 0.2),),
    ),
)
TESTS = sorted({case.test for case in CASES})


class Database:
    """A throw-away operational database, and dbt on it."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        self.target = "sqlite" if name == "sqlite" else "duckdb"
        self.live_file = home / "live.sqlite"
        self.url = f"sqlite:///{self.live_file}" if name == "live" else ""
        self.numbers = count(1000)

    def run_tests(self) -> dict[str, str]:
        """The status of every test of ours; the first run also makes the embedded schema."""
        target_path = self.home / "target"
        arguments = ["test", "--target", self.target, "--target-path", str(target_path)]
        arguments += ["--log-path", str(self.home / "logs"), "--project-dir", str(ROOT)]
        arguments += ["--profiles-dir", str(ROOT), "--select", *TESTS]
        where = {"GRACE_HOME": str(self.home), "GRACE_OPERATIONAL_URL": self.url}
        process = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *arguments],
            env=os.environ | where,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        results = json.loads((target_path / "run_results.json").read_text())["results"]
        tests = {
            entry["unique_id"].split(".")[2]: entry
            for entry in results
            if entry["unique_id"].startswith("test.")
        }
        self.compiled = {name: entry["compiled_code"] for name, entry in tests.items()}
        return {name: entry["status"] for name, entry in tests.items()}

    def connect(self) -> Any:
        if self.name == "duckdb":
            return duckdb.connect(str(self.home / "dev.duckdb"))
        connection = sqlite3.connect(
            self.live_file if self.name == "live" else self.home / "dev_operational.sqlite",
            isolation_level=None,
        )
        # As a writer of an older database: nothing but the tests stands in its way.
        connection.execute("pragma ignore_check_constraints = on")
        return connection

    def write(self, rows: Iterable[Row]) -> None:
        connection = self.connect()
        schema = "operational." if self.name == "duckdb" else ""
        for row in rows:
            table, values = complete(row, next(self.numbers))
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join("?" for _ in values)
            connection.execute(
                f"insert into {schema}{table} ({names}) values ({marks})", list(values.values())
            )
        connection.close()

    def refuses(self, case: Case) -> bool:
        """Whether the schema keeps out the last row of a case, once the others are in."""
        self.write(case.rows[:-1])
        try:
            self.write(case.rows[-1:])
        except duckdb.ConstraintException:
            return True
        return False

    def make_old(self) -> None:
        """A live file of an older Grace: one table, which lacks a column, and no other."""
        connection = self.connect()
        connection.execute("create table models (id text, model_id text, stage text)")
        connection.execute("insert into models values ('old', 'old', 'production')")
        connection.close()

    def make_live(self) -> None:
        """A live file of another writer: the declared columns without type or constraint."""
        connection = self.connect()
        connection.execute("drop table models")
        for table in {row[0] for row in GOOD}:
            names = ", ".join(f'"{column["name"]}"' for column in DECLARED[table])
            connection.execute(f"create table {table} ({names})")
        connection.close()

    def make_loose(self) -> None:
        """An embedded SQLite file without the index and the trigger that keep versions apart."""
        connection = self.connect()
        connection.execute("drop index ux_dataset_versions__dataset_id__version")
        connection.execute("drop trigger dataset_versions__never_replaced")
        connection.close()

    def breaches(self) -> list[Breach]:
        """Test, rule and row key of every failing row, from the queries that dbt compiled last."""
        if self.name == "sqlite":
            connection: Any = sqlite3.connect(":memory:")
            register(connection)
            operational = self.home / "dev_operational.sqlite"
            connection.execute("attach ? as operational", [str(operational)])
        elif self.name == "live":
            connection = duckdb.connect()
            attach_operational(connection, OperationalUrl.parse(self.url))
        else:
            connection = self.connect()
        found: list[Breach] = []
        for test, sql in self.compiled.items():
            cursor = connection.execute(f"select rule, row_key, found from ({sql}\n) as breaches")
            for rule, row_key, what in cursor.fetchall():
                assert isinstance(what, str), f"{test}: nothing found for {row_key}"
                found.append((test, rule, row_key))
        connection.close()
        return sorted(found)


@dataclass
class Outcome:
    """What dbt said without rows and with all; the breaches of good rows, then of all."""

    empty: dict[str, str]
    good_breaches: list[Breach]
    refused: list[Case]
    bad: dict[str, str]
    bad_breaches: list[Breach]


def observe(database: Database) -> Outcome:
    if database.name == "live":
        database.make_old()
    empty = database.run_tests()
    if database.name == "live":
        database.make_live()
        database.run_tests()  # compiles what the missing tables left out
    if database.name == "sqlite":
        database.make_loose()
    database.write(GOOD)
    good_breaches = database.breaches()
    refused = []
    for case in CASES:
        if database.name == "duckdb" and case.refused:
            refused += [case] if database.refuses(case) else []
        else:
            database.write(case.rows)
    bad = database.run_tests()
    return Outcome(empty, good_breaches, refused, bad, database.breaches())


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    databases = [Database(name, tmp_path_factory.mktemp(name)) for name in DATABASES]
    with ThreadPoolExecutor(len(databases)) as pool:
        return dict(zip(DATABASES, pool.map(observe, databases), strict=True))


EACH_DATABASE = pytest.mark.parametrize("name", DATABASES)


def test_every_key_pattern_is_broken_here() -> None:
    files = (ROOT / "tests" / "singular").glob("*.sql")
    assert sorted(f.stem for f in files if "stored_text(" in f.read_text()) == TESTS


@EACH_DATABASE
def test_empty_and_missing_tables_pass(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].empty == dict.fromkeys(TESTS, "pass")


@EACH_DATABASE
def test_good_rows_pass(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].good_breaches == []


@EACH_DATABASE
def test_bad_rows_warn_and_are_named(outcomes: dict[str, Outcome], name: str) -> None:
    kept = [case for case in CASES if not (case.refused and name == "duckdb")]
    expected = sorted((case.test, case.rule, key) for case in kept for key in case.keys)
    assert outcomes[name].bad_breaches == expected
    broken = {test for test, _, _ in expected}
    assert outcomes[name].bad == {test: "warn" if test in broken else "pass" for test in TESTS}


def test_our_own_schema_keeps_out_what_it_can(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["duckdb"].refused == [case for case in CASES if case.refused]
