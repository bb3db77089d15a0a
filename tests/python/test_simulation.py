"""The simulated history, checked from outside: against the declaration, the chain formats, and itself."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ENGINES
from places import Place

from grace_dbt.errors import GraceError
from grace_dbt.operational import backend
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.simulation import simulate

ROOT = Path(__file__).parents[2]
END = datetime(2025, 11, 21, 15, 30, 12, 345678, tzinfo=UTC)
DAYS, CONTRACTS, SEED = 30, 3_000, 7

CUBE_SOURCES = {
    "action_contracts", "safe_hold_snapshots", "benchmark_runs", "mission_timelines", "immutable_log",
    "security_events", "agentic_insights", "playbook_runs", "playbook_step_runs", "healing_actions",
    "approval_requests", "governance_votes", "constitutional_compliance", "execution_tasks",
    "shard_heartbeats", "audit_logs",
}  # fmt: skip
OPEN = ("pending", "executing")
# status: what Grace is known to write, by table.
STATUSES = {
    "action_contracts": {
        "pending",
        "executing",
        "verified",
        "partial_success",
        "failed",
        "rolled_back",
    },
    "mission_timelines": {"in_progress", "completed", "failed", "paused"},
    "playbook_runs": {"pending", "running", "succeeded", "failed", "rolled_back", "aborted"},
    "approval_requests": {"pending", "approved", "rejected"},
    "security_events": {"open", "resolved"},
    "safe_hold_snapshots": {"active", "restored", "invalidated"},
    "execution_tasks": {"queued", "running", "completed"},
    "shard_heartbeats": {"healthy", "degraded", "draining", "stopped"},
}
SPELLINGS = {
    r"user:[a-z.]+", r"system:[a-z_]+", r"agent:shard_\d+", r"input_sentinel:err_[0-9a-f]{8}",
    r"cognition:[a-z0-9_]+", r"mission:mission-\d{8}-\d{6}",
}  # fmt: skip

Rows = list[dict[str, Any]]


NewPlace = Callable[[str], Place]


@pytest.fixture
def fresh_file(fresh_place: NewPlace) -> Callable[[], Place]:
    """Make an empty SQLite database with the whole schema."""
    return lambda: fresh_place("sqlite")


def run(
    place: Place, contracts: int = 300, days: int = DAYS, seed: int = SEED, **more: Any
) -> dict[str, int]:
    url = OperationalUrl.parse(place.url)
    return simulate(url, days=days, contracts=contracts, rng_seed=seed, end=END, **more)


class History:
    """A finished SQLite history, read back."""

    def __init__(self, place: Place, written: dict[str, int]) -> None:
        assert place.path
        self.written = written
        self.connection = sqlite3.connect(place.path)
        self.connection.row_factory = sqlite3.Row

    def rows(self, table: str) -> Rows:
        return [
            dict(row) for row in self.connection.execute(f'select * from "{table}" order by rowid')
        ]

    def values(self, sql: str) -> list[Any]:
        return [row[0] for row in self.connection.execute(sql)]


@pytest.fixture(scope="session")
def history(
    template_places: NewPlace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    template, path = template_places("sqlite").path, tmp_path_factory.mktemp("history") / "grace"
    assert template
    place = Place("sqlite", path=Path(shutil.copy(template, path)))
    found = History(place, run(place, CONTRACTS))
    yield found
    found.connection.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def digest(place: Place) -> str:
    assert place.path
    with sqlite3.connect(place.path) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def declared() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in (ROOT / "models" / "operational").glob("*/_*__sources.yml"):
        for source in yaml.safe_load(path.read_text())["sources"]:
            for table in source["tables"]:
                yield table["name"], table


DECLARED = dict(declared())


# What was asked for


def test_exact_number_of_contracts_and_honest_counts(history: History) -> None:
    assert history.written["action_contracts"] == CONTRACTS
    for table, count in history.written.items():
        assert history.values(f'select count(*) from "{table}"') == [count], table


def test_all_cube_sources_and_a_fair_share_of_the_rest(history: History) -> None:
    assert set(history.written) >= CUBE_SOURCES
    assert len(set(history.written) - CUBE_SOURCES) >= 40


def test_same_seed_same_bytes_other_seed_other_history(fresh_file: Callable[[], Place]) -> None:
    first, second, other = fresh_file(), fresh_file(), fresh_file()
    assert run(first) == run(second)
    run(other, seed=SEED + 1)
    assert digest(first) == digest(second) != digest(other)


@pytest.mark.parametrize("dialect", [name for name in ENGINES if name != "sqlite"])
def test_every_engine_holds_the_same_history(dialect: str, fresh_place: NewPlace) -> None:
    ours, theirs = fresh_place("sqlite"), fresh_place(dialect)
    assert run(ours, 400) == run(theirs, 400)
    rows = {name: row_digest(ours, name) for name in DECLARED}
    assert sum(len(digest) > 0 for digest in rows.values()) > 80
    assert {name: row_digest(theirs, name) for name in DECLARED} == rows
    if theirs.server:
        # What counts the keys was moved along: the next row of Grace collides with none.
        theirs.run("insert into security_events (action) values ('after')")


def row_digest(place: Place, name: str) -> str:
    """What all rows of a table say, whatever types hold them; empty where there is no row."""
    mark = place.mark
    kinds = {
        column["name"]: "hashed"
        if column.get("config", {}).get("meta", {}).get("hash_input")
        else column["data_type"]
        for column in DECLARED[name]["columns"]
    }
    # As text, since the driver would take JSON apart.
    text = "::text" if place.dialect == "postgres" else ""
    columns = ", ".join(
        f"{mark}{column}{mark}{text if kind in ('timestamp', 'json', 'hashed') else ''}"
        for column, kind in kinds.items()
    )
    rows = place.run(*SESSION.get(place.dialect, ()), f"select {columns} from {mark}{name}{mark}")
    plain = sorted(repr(list(map(spelled, row, kinds.values()))) for row in rows)
    return hashlib.sha256("\n".join(plain).encode()).hexdigest() if rows else ""


# The servers of the tests live in another zone.
SESSION = {"postgres": ("set timezone = 'UTC'", "set datestyle = 'ISO'")}


def spelled(value: Any, kind: str) -> Any:
    """A value by its logical type; of what a hash covers the very text."""
    if value is None:
        return None
    if kind == "timestamp":
        return datetime.fromisoformat(str(value)).replace(tzinfo=None).isoformat()
    if kind == "json":
        # The numbers of jsonb know no negative zero.
        found = json.loads(value, parse_float=lambda digits: float(digits) + 0.0)
        return json.dumps(found, sort_keys=True)
    kinds: dict[str, Callable[[Any], Any]] = {
        "boolean": bool,
        "blob": bytes,
        "real": float,
        "hashed": str,
    }
    return kinds[kind](value) if kind in kinds else value


@pytest.mark.parametrize(("contracts", "days"), [(1, 1), (2, 400), (37, 1)])
def test_small_histories(fresh_file: Callable[[], Place], contracts: int, days: int) -> None:
    place = fresh_file()
    assert run(place, contracts, days)["action_contracts"] == contracts
    assert place.run("pragma foreign_key_check") == []


@pytest.mark.parametrize(("seed", "days"), [(1, 30), (2, 1), (3, 7)])
def test_everything_occurs_from_a_thousand_contracts_on(
    fresh_file: Callable[[], Place], seed: int, days: int
) -> None:
    place = fresh_file()
    found = History(place, run(place, 1_000, days, seed))
    for table, statuses in STATUSES.items():
        assert set(found.values(f"select distinct status from {table}")) >= statuses, table
    assert set(found.values("select distinct tier from action_contracts")) == {
        "tier_1",
        "tier_2",
        "tier_3",
        None,
    }
    actors = found.values("select triggered_by from action_contracts")
    named = {s for s in SPELLINGS if any(a and re.fullmatch(s, a) for a in actors)}
    assert named == SPELLINGS
    free = [a for a in actors if a and not any(re.fullmatch(s, a) for s in SPELLINGS)]
    assert 0 < len(free) < 60
    assert 0 < actors.count(None) < 40
    undone = "select count(*) from action_contracts where status = 'rolled_back' and confidence_score > 0.8"
    assert found.values(undone) != [0]
    found.connection.close()


# What the declaration demands


def test_foreign_keys(history: History) -> None:
    assert history.connection.execute("pragma foreign_key_check").fetchall() == []


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_declared_rules(history: History, name: str) -> None:
    table, rows = DECLARED[name], history.rows(name)
    for column in table["columns"]:
        check_column(name, column, [row[column["name"]] for row in rows])
    for index in table["config"]["meta"].get("indexes", []):
        if index.get("unique"):
            keys = [tuple(row[c] for c in index["columns"]) for row in rows]
            assert len(set(keys)) == len(keys)


def check_column(table: str, column: dict[str, Any], values: list[Any]) -> None:
    where = f"{table}.{column['name']}"
    kinds = {constraint["type"]: constraint for constraint in column.get("constraints", [])}
    rules = column.get("config", {}).get("meta", {})
    present = [value for value in values if value is not None]
    assert "" not in present, f"{where}: an empty text would be NULL on DuckDB"
    if "not_null" in kinds:
        assert len(present) == len(values), where
    if {"unique", "primary_key"} & set(kinds):
        assert len(set(values)) == len(values), where
    if "accepted_values" in rules:
        assert set(present) <= set(rules["accepted_values"]), where
    if "range" in rules:
        low, high = rules["range"]
        assert all((low is None or v >= low) and (high is None or v <= high) for v in present), (
            where
        )
    if "check" in kinds:
        with sqlite3.connect(":memory:") as memory:
            query = "select " + kinds["check"]["expression"].replace("{column}", "?")
            assert all(memory.execute(query, [v]).fetchone()[0] for v in set(present)), where
    if column["data_type"] == "json":
        for value in present:
            json.loads(value)
    if column["data_type"] == "timestamp" or rules.get("format") == "timestamp":
        assert all(END - timedelta(days=DAYS) <= moment(v) <= END for v in present), where
        assert all(
            re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{6})?", v) for v in present
        ), where
    expected = {"integer": int, "boolean": int, "real": float | int, "blob": bytes}.get(
        column["data_type"], str
    )
    assert all(isinstance(v, expected) for v in present), where
    if column["data_type"] == "boolean":
        assert set(present) <= {0, 1}, where


# The chains, by a verifier written from the published formats


def sealed(row: dict[str, Any]) -> str:
    fields = ("sequence", "actor", "action", "resource", "payload", "result", "previous_hash")
    return hashlib.sha256(":".join(str(row[f]) for f in fields).encode()).hexdigest()


def audited(row: dict[str, Any]) -> tuple[str, str]:
    content = {
        "entry_id": row["entry_id"], "category": row["category"], "timestamp": row["timestamp"],
        "data": json.loads(row["data_json"]), "transparency_level": row["transparency_level"],
    }  # fmt: skip
    entry = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    seal = f"{entry}:{row['previous_hash']}:{row['chain_position']}"
    return entry, hashlib.sha256(seal.encode()).hexdigest()


def test_the_verifier_itself_by_published_vectors() -> None:
    row = {
        "sequence": 1, "actor": "testuser", "action": "knowledge.ingested", "resource": "Test Knowledge",
        "payload": '{"artifact_id": 1, "domain": "test", "type": "text"}', "result": "published",
        "previous_hash": "0" * 64,
    }  # fmt: skip
    assert sealed(row) == "3e6d566132bd6f93b3b75241313e3eae44330ff50ec3021068d5b0fa50d8d89e"
    entry = {
        "entry_id": "governance_action_20250928_095538_000001", "category": "governance_action",
        "transparency_level": "democratic_oversight", "timestamp": "2025-09-28T09:55:38.612416",
        "data_json": '{"action_type": "kernel_shutdown", "action_data": {"timestamp": "2025-09-28T09:55:38.610904", '
        '"snapshot_id": "govsnap_20250928_095538_5b433e1b", "reason": "graceful_shutdown"}, '
        '"logged_by": "governance_engine"}',
        "previous_hash": "5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523", "chain_position": 1,
    }  # fmt: skip
    assert audited(entry) == (
        "cf3eefad64b7fc2f10161532a916ee9bdf3edef252f9eb017c428a835bfb4a47",
        "ec78e41f125f895b1dd5582a78d07b4895a606004f1e0bfcafacedbc55ddfdca",
    )


def test_immutable_log_is_one_chain_in_time_order(history: History) -> None:
    previous, before, rows = "0" * 64, "", history.rows("immutable_log")
    for number, row in enumerate(rows, 1):
        assert (row["sequence"], row["previous_hash"]) == (number, previous)
        assert row["entry_hash"] == sealed(row)
        assert before[:19] <= row["timestamp"][:19]
        previous, before = row["entry_hash"], row["timestamp"]
    assert 0.8 * CONTRACTS < len(rows) < 1.5 * CONTRACTS
    errors = [row for row in rows if row["subsystem"] == "error_handling"]
    assert len(errors) > CONTRACTS // 10
    assert {json.loads(row["payload"])["severity"] for row in errors} == {
        "low",
        "medium",
        "high",
        "critical",
    }


def test_audit_log_is_one_segment(history: History) -> None:
    previous, rows = "genesis", history.rows("audit_logs")
    for position, row in enumerate(rows):
        assert (row["chain_position"], row["previous_hash"]) == (position, previous)
        assert (row["hash"], row["chain_hash"]) == audited(row)
        previous = row["chain_hash"]
    assert any(list(json.loads(r["data_json"])) != sorted(json.loads(r["data_json"])) for r in rows)
    seals = {row["chain_position"]: row["chain_hash"] for row in rows}
    for check in history.rows("chain_verification"):
        assert check["chain_hash"] == seals[check["end_position"]]
    counts = {row["category"]: row["entry_count"] for row in history.rows("log_categories")}
    assert sum(counts.values()) == len(rows)


# What makes it believable


def test_contracts_agree_with_themselves(history: History) -> None:
    contracts = history.rows("action_contracts")
    for row in contracts:
        if row["executed_at"]:
            assert moment(row["executed_at"]) > moment(row["created_at"])
        if row["verified_at"]:
            assert moment(row["verified_at"]) > moment(row["executed_at"] or row["created_at"])
        assert (row["status"] in OPEN) == (row["verified_at"] is None)
        assert (
            hashlib.sha256(row["expected_effect"].encode()).hexdigest()
            == row["expected_effect_hash"]
        )
        result = json.loads(row["verification_result"] or "{}")
        assert ("error" in result) == (
            row["status"] in ("partial_success", "failed", "rolled_back")
        )
        assert row["requires_approval"] == (row["tier"] == "tier_3")
    oldest = contracts[: CONTRACTS * 9 // 10]
    assert sum(row["status"] in OPEN for row in oldest) < CONTRACTS // 200
    assert contracts[-1]["status"] == "pending"


def test_evidence_points_both_ways(history: History) -> None:
    contracts = {row["id"]: row for row in history.rows("action_contracts")}
    protected = {}
    for row in history.rows("safe_hold_snapshots"):
        assert hashlib.sha256(row["manifest"].encode()).hexdigest() == row["manifest_hash"]
        assert (row["restored_at"] is not None) == (row["status"] == "restored")
        if row["action_contract_id"]:
            protected[row["action_contract_id"]] = row["id"]
    quoted = {c: row["safe_hold_snapshot_id"] for c, row in contracts.items()}
    assert protected == {c: snapshot for c, snapshot in quoted.items() if snapshot}
    risky = [
        row
        for row in contracts.values()
        if row["tier"] in ("tier_2", "tier_3") and row["executed_at"]
    ]
    assert sum(row["id"] in protected for row in risky) > 0.9 * len(risky)
    for row in history.rows("benchmark_runs"):
        if (row["triggered_by"] or "").startswith("contract:"):
            contract = contracts[row["triggered_by"].removeprefix("contract:")]
            assert (
                contract["executed_at"][:19]
                <= row["created_at"][:19]
                <= contract["verified_at"][:19]
            )
        delta = json.loads(row["delta_from_baseline"] or "{}")
        assert all(isinstance(value, float) for value in delta.values())
    assert history.values("select count(*) from benchmark_runs where is_golden") == [3]


def test_late_verification_and_late_rollback(history: History) -> None:
    contracts = history.rows("action_contracts")
    late = [
        row for row in contracts
        if row["verified_at"] and row["executed_at"]
        and moment(row["verified_at"]) - moment(row["executed_at"]) > timedelta(hours=1)
    ]  # fmt: skip
    assert 0.02 * CONTRACTS < len(late) < 0.08 * CONTRACTS
    restored = {
        row["action_contract_id"]: row["restored_at"] for row in history.rows("safe_hold_snapshots")
    }
    undone = [
        row for row in contracts
        if row["status"] == "rolled_back" and row["id"] in restored
        and moment(restored[row["id"]]) > moment(row["verified_at"])
    ]  # fmt: skip
    assert undone


def test_rhythm_of_days_weeks_and_incidents(history: History) -> None:
    by_hour: dict[bool, list[int]] = {True: [0] * 24, False: [0] * 24}
    outcomes: dict[str | None, list[bool]] = defaultdict(list)
    troubled: dict[bool, list[bool]] = {True: [], False: []}
    incidents = [
        (row["created_at"], row["resolved_at"])
        for row in history.rows("resilience_incidents")
        if row["severity"] in ("high", "critical") and row["resolved_at"]
    ]
    assert 1 <= len(incidents) <= 4
    for row in history.rows("action_contracts"):
        created = moment(row["created_at"])
        by_hour[created.weekday() < 5][created.hour] += 1
        if row["status"] not in OPEN:
            good = row["status"] == "verified"
            outcomes[row["tier"]].append(good)
            troubled[any(a <= row["created_at"] < b for a, b in incidents)].append(good)
    weekdays = by_hour[True]
    assert sum(weekdays[9:17]) > 3 * (sum(weekdays[:6]) + sum(weekdays[22:]))
    assert sum(weekdays) / 22 > 2 * sum(by_hour[False]) / 8
    for tier, share in (("tier_1", 0.93), ("tier_2", 0.88), ("tier_3", 0.80)):
        assert abs(sum(outcomes[tier]) / len(outcomes[tier]) - share) < 0.06, tier
    rates = {flag: sum(found) / len(found) for flag, found in troubled.items()}
    assert rates[True] < rates[False] - 0.15


def test_missions_span_contracts_and_count_them(history: History) -> None:
    missions = {row["mission_id"]: row for row in history.rows("mission_timelines")}
    worked: dict[str, Rows] = defaultdict(list)
    for row in history.rows("action_contracts"):
        if (row["triggered_by"] or "").startswith("mission:"):
            worked[row["triggered_by"].removeprefix("mission:")].append(row)
    assert set(worked) == set(missions)
    for mission, rows in worked.items():
        told = missions[mission]
        settled = [row for row in rows if row["status"] not in OPEN]
        assert told["completed_actions"] + told["failed_actions"] == len(settled)
        assert told["rolled_back_actions"] == sum(row["status"] == "rolled_back" for row in rows)
        assert (told["completed_at"] is not None) == (told["status"] in ("completed", "failed"))
        assert all(told["started_at"] < row["created_at"] for row in rows)
        if told["completed_at"]:
            assert all(moment(row["verified_at"]) < moment(told["completed_at"]) for row in rows)
    assert max(map(len, worked.values())) > 5


def test_approvals_name_the_contract_they_guard(history: History) -> None:
    approvals = history.rows("approval_requests")
    guarded = {}
    for row in approvals:
        decided = row["status"] != "pending"
        assert decided == (row["decided_at"] is not None) == (row["decision_by"] is not None)
        if decided:
            assert moment(row["decided_at"]) > moment(row["created_at"])
        if named := re.match(r"contract_[0-9a-f]{8}", row["reason"]):
            guarded[named[0]] = row
    assert set(guarded) == set(
        history.values("select id from action_contracts where requires_approval")
    )
    for row in history.rows("action_contracts"):
        if row["id"] in guarded and row["executed_at"]:
            answer = guarded[row["id"]]
            assert answer["status"] == "approved"
            assert moment(row["executed_at"]) > moment(answer["decided_at"])


def test_key_patterns_of_models(history: History) -> None:
    approved = set(
        history.values("select model_id from model_approvals where decision = 'approved'")
    )
    models = history.rows("models")
    assert {row["model_id"] for row in models if row["stage"] == "production"} == approved
    assert all(row["governance_approved"] == (row["stage"] == "production") for row in models)
    steps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in history.rows("canary_progress"):
        steps[row["deployment_id"]].append((row["stage"], row["traffic_percentage"]))
    for walked in steps.values():
        assert walked == list(enumerate((5, 25, 50, 100)))[: len(walked)]


def test_key_patterns_of_intelligence(history: History) -> None:
    granted = set(history.values("select decision_id from governance_decisions where approved"))
    plans = [row for row in history.rows("intel_plans") if row["risk_level"] == "high"]
    assert plans
    assert all(
        row["governance_approved"] and row["governance_decision_id"] in granted for row in plans
    )
    for row in history.rows("intel_results"):
        assert set(json.loads(row["uncertainties_json"])) == {"calibration", "variance", "entropy"}
    for row in history.rows("intel_canary_deployments"):
        assert json.loads(row["steps"]) == [5, 25, 50, 100]
        assert row["status"] != "promoted" or row["current_step"] == 3
    assert None not in history.values("select current_agreement from intel_shadow_deployments")


def test_key_patterns_of_resilience_and_ingress(history: History) -> None:
    state: dict[str, str] = defaultdict(lambda: "closed")
    legal = {
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
        ("half_open", "open"),
    }
    moves = [
        row for row in history.rows("immutable_log") if row["action"].startswith("circuit_breaker.")
    ]
    for row in moves:
        move = json.loads(row["payload"])
        assert (move["from"], move["to"]) in legal
        assert state[row["resource"]] == move["from"]
        state[row["resource"]] = move["to"]
    assert len(moves) > 5
    for row in history.rows("circuit_breakers"):
        assert state[row["id"]] == row["state"]
    standing: dict[str, float] = {}
    for row in history.rows("source_trust_history"):
        assert standing.get(row["source_id"], row["old_reputation"]) == row["old_reputation"]
        standing[row["source_id"]] = row["new_reputation"]
    transitions = history.rows("state_transitions")
    assert all(a["to_state"] == b["from_state"] for a, b in pairwise(transitions))


# What it refuses


def refusal(place: Place, **changed: Any) -> GraceError:
    arguments: dict[str, Any] = {"days": 1, "contracts": 5, "rng_seed": 1, "end": END, **changed}
    with pytest.raises(GraceError) as caught:
        simulate(OperationalUrl.parse(place.url), **arguments)
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres"])
def test_refuses_a_database_with_rows(fresh_place: NewPlace, dialect: str) -> None:
    place = fresh_place(dialect)
    run(place, 5, 1)
    error = refusal(place)
    assert error.exit_code == 1
    assert "empty database only" in error.message
    assert "approval_requests" in error.message or "action_contracts" in error.message


@pytest.mark.parametrize("dialect", ENGINES)
def test_refuses_missing_tables(new_place: NewPlace, dialect: str) -> None:
    place = new_place(dialect)
    if place.path:
        assert "grace-dbt init --db" in refusal(place).hint
    place.run("create table t (x integer)")
    error = refusal(place)
    assert error.hint == f"Create the tables first: grace-dbt init --db {place.shown}"


@pytest.mark.parametrize(
    "arguments", [{"days": 0}, {"contracts": 0}, {"days": 10**9}, {"end": END.replace(tzinfo=None)}]
)
def test_refuses_bad_arguments(fresh_file: Callable[[], Place], arguments: dict[str, Any]) -> None:
    assert refusal(fresh_file(), **arguments).exit_code == 2


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_says_when_the_file_is_locked(
    fresh_place: NewPlace, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "WAIT_SECONDS", 0.1)
    place = fresh_place(dialect)
    holders = {
        "sqlite": "import sqlite3; c = sqlite3.connect({!r}, isolation_level=None); c.execute('begin immediate')",
        "duckdb": "import duckdb; c = duckdb.connect({!r})",
    }
    code = holders[dialect].format(str(place.path)) + "; print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        error = refusal(place)
        holder.communicate("\n")
    assert error.exit_code == 3
    assert "Another process has" in error.message


@pytest.mark.parametrize("dialect", ENGINES)
def test_a_failed_run_writes_nothing(fresh_place: NewPlace, dialect: str) -> None:
    place = fresh_place(dialect)
    seen: list[tuple[str, int]] = []

    def fail_late(table: str, rows: int) -> None:
        seen.append((table, rows))
        if table == "deployment_rollback_history":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(place, 300, 5, progress=fail_late)
    assert ("action_contracts", 300) in seen
    assert run(place, 300, 5)["action_contracts"] == 300
