"""`grace-dbt health`: rows near every threshold are healthy; each planted fault is found, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ENGINES, GraceCli, prepare
from places import Place

from grace_dbt.health import span
from grace_dbt.locking import exclusive
from grace_dbt.settings import Settings

# What a finding must say: check, subject, and how `found` begins.
Said = tuple[str, str, str]


def ago(**lengths: float) -> str:
    """A moment before now. `run` puts it in: it may be long from here to there."""
    return f"<{timedelta(**lengths).total_seconds():.0f} seconds ago>"


def spelled(match: re.Match[str]) -> str:
    """A moment as most writers spell it; one marked with Z as the others do."""
    moment = datetime.now(UTC) - timedelta(seconds=int(match[1]))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if match[2] else "%Y-%m-%d %H:%M:%S")


def insert(table: str, **values: object) -> str:
    names = ", ".join(f'"{name}"' for name in values)
    cells = ", ".join("null" if value is None else f"'{value}'" for value in values.values())
    return f"insert into {table} ({names}) values ({cells})"


def source(name: str) -> str:
    return insert(
        "sources", source_id=name, kind="rss", uri="x", parser="x", target_contract="x",
        created_at=ago(minutes=5), updated_at=ago(minutes=5),
    )  # fmt: skip


def sample(number: int, of: str, error_rate: float, **before: float) -> str:
    return insert(
        "processing_metrics", id=number, source_id=of, stage="x", error_rate=error_rate,
        timestamp=ago(**before),
    )  # fmt: skip


def task(name: str, started_at: str | None, status: str = "running") -> str:
    return insert(
        "orchestration_tasks", task_id=name, loop_id="loop", stage="x", inputs="{}", status=status,
        created_at=ago(minutes=5), started_at=started_at,
    )  # fmt: skip


def job(number: int, started_at: str) -> str:
    return insert(
        "execution_tasks", id=number, task_id=f"job_{number}", user="Alice Example", task_type="x",
        status="running", created_at=ago(minutes=5), started_at=started_at,
    )  # fmt: skip


def breaker(name: str, state: str) -> str:
    return insert(
        "circuit_breakers", id=name, component_name=name, state=state, failure_count=7,
        created_at=ago(minutes=5), updated_at=ago(minutes=5),
    )  # fmt: skip


def event(number: int, severity: str, status: str) -> str:
    return insert(
        "security_events", id=number, severity=severity, status=status, actor="Alice Example",
        created_at=ago(minutes=5),
    )  # fmt: skip


def alert(name: str, severity: str, resolved_at: str | None) -> str:
    return insert(
        "alerts", id=name, alert_type="x", severity=severity, component="x", message="x",
        triggered_at=ago(minutes=5), resolved_at=resolved_at,
    )  # fmt: skip


def failure(number: int, resolved: int) -> str:
    return insert(
        "validation_failures", id=number, source_id="steady", policy_type="x", severity="critical",
        reasons="[]", resolved=resolved, timestamp=ago(minutes=5),
    )  # fmt: skip


def letter(name: str, topic: str, status: str) -> str:
    return insert(
        "dlq_entries", id=name, original_topic=topic, payload="Alice Example", error_type="x",
        status=status, first_failure_at=ago(minutes=5), last_failure_at=ago(minutes=5),
    )  # fmt: skip


def heartbeat(number: int, **before: float) -> str:
    return insert(
        "shard_heartbeats", id=number, shard_id="s", sequence=number, recorded_at=ago(**before)
    )


GOOD = (
    source("steady"),
    sample(1, "steady", 0.05, minutes=50),
    sample(2, "steady", 0.9, minutes=70),
    insert(
        "orchestration_loops", loop_id="loop", name="x", priority=1, interval_s=1, kernels="[]",
        policies="[]", created_at=ago(minutes=5), updated_at=ago(minutes=5),
    ),
    task("young", ago(minutes=50)),
    task("waiting", None, "pending"),
    task("done", ago(hours=5), "completed"),
    job(1, ago(minutes=50)),
    breaker("calm", "closed"),
    event(1, "critical", "resolved"),
    event(2, "high", "open"),
    alert("settled", "critical", ago(minutes=1)),
    failure(1, 1),
    letter("d1", "topic.calm", "resolved"),
    letter("d2", "topic.calm", "discarded"),
    heartbeat(1, hours=3),
    heartbeat(2, minutes=50),
)  # fmt: skip

BAD = (
    task("old", ago(minutes=70) + "Z"),
    job(2, ago(hours=30)),
    source("noisy"),
    sample(3, "noisy", 0.04, minutes=10),
    sample(4, "noisy", 0.09, minutes=50),
    *(breaker(f"worn_{number:02}", "open") for number in range(24)),
    breaker("trying", "half_open"),
    event(3, "critical", "open"),
    event(4, "CRITICAL", "open"),
    alert("loud", "critical", None),
    failure(2, 0),
    letter("d3", "topic.hot", "failed"),
    letter("d4", "topic.hot", "retrying"),
    insert(
        "message_dedupe", message_id="m", message_hash="x", first_seen=ago(hours=9),
        last_seen=ago(hours=2), expires_at=ago(hours=1),
    ),
)  # fmt: skip
SAID_OF_ROWS: tuple[Said, ...] = (
    ("stuck_tasks", "old", "orchestration_tasks: running since "),
    ("stuck_tasks", "job_2", "execution_tasks: running since "),
    ("error_rates", "noisy", "6.5 percent of events failed in the last hour, by 2 samples"),
    ("circuit_breakers", "trying", "half_open after 7 failures"),
    *(("circuit_breakers", f"worn_{n:02}", "open after 7 failures") for n in range(19)),
    ("criticals", "security_events", "2 critical and open, e.g. id 3"),
    ("criticals", "alerts", "1 critical and open, e.g. id loud"),
    ("criticals", "validation_failures", "1 critical and open, e.g. id 2"),
    ("dead_letters", "topic.hot", "2 not settled, e.g. d3"),
    ("freshness", "communications.message_dedupe", "newest row 2 h old, 1 h allowed"),
    ("orphans", "source_trust_history.source_id", "1 without a row in sources, e.g. id 9"),
)

# A table made anew: columns missing, one too many, one of another type, one nullable; and no index, reference or check.
WORSE = (
    "drop table source_trust_history",
    'create table source_trust_history ("id" integer not null primary key, "source_id" text,'
    ' "old_reputation" text not null, "new_reputation" real not null, "timestamp" timestamp,'
    ' "note" text)',
    insert(
        "source_trust_history", id=9, source_id="nobody", old_reputation=1, new_reputation=1,
        timestamp=ago(minutes=5),
    ),
    "drop table log_categories",
    "create table poems (id integer)",
)  # fmt: skip
SAID_OF_SCHEMA: tuple[Said, ...] = (
    ("schema", "log_categories", "table is missing"),
    ("schema", "alerts: ix_alerts__severity", "index is missing"),
    ("schema", "source_trust_history", "column outcome_score is missing"),
    ("schema", "source_trust_history", "column context is missing"),
    ("schema", "source_trust_history", "type old_reputation is "),
    ("schema", "source_trust_history", "not null source_id is nullable; declared: not null"),
    ("schema", "source_trust_history", "foreign key source_id is "),
    ("schema", "source_trust_history", "check old_reputation is "),
    ("schema", "source_trust_history", "check new_reputation is missing"),
    ("schema", "source_trust_history", "index ix_source_trust_history__source_id is missing"),
)
NOTES: tuple[Said, ...] = (
    ("schema", "poems", "table is not declared"),
    ("schema", "source_trust_history", "column note is not declared"),
    ("schema", "source_trust_history", "default timestamp is missing"),
)
# What engines spell in their own way.
DROPPED_INDEX = {
    "sqlite": "drop index ix_alerts__severity",
    "duckdb": "drop index ix_alerts__severity",
    "postgres": "drop index ix_alerts__severity",
    "mariadb": "drop index ix_alerts__severity on alerts",
}
DROPPED_TRIGGER = {
    "sqlite": "drop trigger immutable_log__never_updated",
    "postgres": "drop trigger immutable_log__never_updated on immutable_log",
    "mariadb": "drop trigger immutable_log__never_updated",
}
# What only some engines have, and what is said of it.
SAID_OF_TRIGGER: Said = (
    "schema",
    "immutable_log: immutable_log__never_updated",
    "trigger is missing",
)
SAID_OF_COMMENT: Said = ("schema", "log_categories", "comment is missing")


def run(place: Place, *statements: str) -> None:
    """Run statements whose names are in double quotes and whose times are UTC."""
    zone = ("set time zone 'UTC'",) if place.dialect == "postgres" else ()
    moments = re.compile(r"<(\d+) seconds ago>(Z?)")
    place.run(*zone, *(moments.sub(spelled, sql).replace('"', place.mark) for sql in statements))


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, planned_home: Path) -> GraceCli:
    home = tmp_path_factory.mktemp("health") / "home"
    prepare(home, planned_home)
    return GraceCli(home)


@dataclass(frozen=True)
class Case:
    """A healthy database and a spoilt one, what health says of that, and what it must say."""

    good: Place
    bad: Place
    report: dict[str, Any]
    wrong: tuple[Said, ...]
    notes: tuple[Said, ...]


@pytest.fixture(scope="module", params=ENGINES)
def case(
    request: pytest.FixtureRequest, cli: GraceCli, fresh_place: Callable[[str], Place]
) -> Case:
    dialect = request.param
    good, bad = fresh_place(dialect), fresh_place(dialect)
    run(good, *GOOD)
    run(bad, *GOOD, *BAD, *WORSE, DROPPED_INDEX[dialect])
    wrong, notes = SAID_OF_ROWS + SAID_OF_SCHEMA, NOTES
    if dialect in DROPPED_TRIGGER:
        run(bad, DROPPED_TRIGGER[dialect])
        wrong += (SAID_OF_TRIGGER,)
    if dialect == "postgres":
        notes += (SAID_OF_COMMENT,)
    return Case(good, bad, told(cli, bad, 1), wrong, notes)


def told(cli: GraceCli, place: Place, exit_code: int) -> dict[str, Any]:
    done = cli.run("health", "--db", place.url, "--json")
    assert done.returncode == exit_code, done.stderr
    assert "Alice" not in done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["url"] == place.shown
    assert report["healthy"] is (exit_code == 0)
    return report


def test_near_every_threshold_all_is_well(cli: GraceCli, case: Case) -> None:
    settings = Settings(cli.home, Settings.load(case.good.url).operational)
    # As while a refresh runs: nothing may be waited for.
    with exclusive(settings, "refresh"), closing(duckdb.connect(settings.build_file)):
        report = told(cli, case.good, 0)
    assert report["findings"] == []
    assert report["checks"] == dict.fromkeys(
        ("rights", "schema", "orphans", "stuck_tasks", "error_rates", "circuit_breakers", "criticals",
         "dead_letters", "freshness"), 0
    )  # fmt: skip
    newest = {age["component"]: (age["table"], age["allowed_seconds"]) for age in report["newest"]}
    assert newest["shard"] == ("execution_tasks", 24 * 3600)
    assert "memory" not in newest


def test_every_fault_is_found(case: Case) -> None:
    for severity, expected in (("wrong", case.wrong), ("note", case.notes)):
        left = [f for f in case.report["findings"] if f["severity"] == severity]
        for check, subject, words in expected:
            [found] = [
                f for f in left
                if (f["check"], f["subject"]) == (check, subject) and f["found"].startswith(words)
            ]  # fmt: skip
            assert found["advice"]
            left.remove(found)
        assert left == []
    assert case.report["checks"]["circuit_breakers"] == 25
    assert case.report["checks"]["criticals"] == 3


def test_a_mend_is_what_init_would_run(cli: GraceCli, case: Case) -> None:
    planned = cli.run("init", "--enforce", "--dry-run", "--json", "--db", case.bad.url)
    mended = [finding for finding in case.report["findings"] if finding["mend"]]
    # Rows forbid the reference of `nobody`, which MariaDB would not have over a long text at all, and
    # the check on a column of another type.
    held = [finding for finding in mended if "in the way" in finding["found"]]
    assert len(held) == {"postgres": 2, "mariadb": 1}.get(case.good.dialect, 0)
    assert all(finding["advice"].startswith("Settle") for finding in held)
    mends = [finding["mend"] for finding in mended if finding not in held]
    assert len(mends) >= 3
    assert sorted(mends) == sorted(json.loads(planned.stdout)["planned"])


@pytest.mark.parametrize("case", ["sqlite"], indirect=True)
def test_people_read_a_table(cli: GraceCli, case: Case) -> None:
    done = cli.run("health", "--db", case.bad.url)
    assert done.returncode == 1
    assert "topic.hot" in done.stdout
    assert "and 5 more" in done.stdout
    assert "communications" in done.stdout
    assert done.stderr.startswith(f"{len(case.wrong)} wrong, by 9 checks of {case.bad.shown}")


@pytest.mark.parametrize("target", ["duckdb", "sqlite"])
def test_the_queries_of_the_schema_document_are_dbt_tests(
    cli: GraceCli, fresh_place: Callable[[str], Place], target: str
) -> None:
    place = fresh_place("sqlite")
    names = {"no_task_is_stuck", "error_rates_are_low", "breakers_are_closed"}
    arguments = ("test", "--db", place.url, "--target", target, "--select", "tag:health", "--json")
    run(place, *GOOD)
    calm = cli.run(*arguments)
    assert calm.returncode == 0, calm.stderr
    assert {result["name"] for result in json.loads(calm.stdout)} == names
    run(place, *BAD)
    loud = cli.run(*arguments)
    assert loud.returncode == 1
    failures = {result["name"]: result["failures"] for result in json.loads(loud.stdout)}
    assert failures == {"no_task_is_stuck": 1, "error_rates_are_low": 1, "breakers_are_closed": 25}


def test_one_old_table_stops_no_check(cli: GraceCli, tmp_path: Path) -> None:
    place = Place("sqlite", path=tmp_path / "old.sqlite")
    place.run("create table circuit_breakers (id text primary key, state text)")
    run(place, insert("circuit_breakers", id="b", state="open"))
    report = told(cli, place, 1)
    assert {finding["check"] for finding in report["findings"]} == {"schema"}


def test_a_protected_file_is_a_note(cli: GraceCli, fresh_place: Callable[[str], Place]) -> None:
    place = fresh_place("sqlite")
    run(place, *GOOD)
    assert place.path
    place.path.chmod(0o444)
    done = cli.run("health", "--db", place.url, "--json", rights=False)
    assert done.returncode == 0, done.stderr
    [note] = json.loads(done.stdout)["findings"]
    assert (note["check"], note["severity"], note["subject"]) == ("rights", "note", place.url)
    assert note["found"].startswith("96 tables can't be written: ")


def test_what_may_not_be_read_is_named(cli: GraceCli, fresh_place: Callable[[str], Place]) -> None:
    place = fresh_place("postgres")
    assert place.server
    database = place.server.database
    run(
        place,
        "create role health_reader login password 'reader'",
        "grant select on all tables in schema public to health_reader",
        "revoke select on alerts, models from health_reader",
    )
    url = f"postgresql://health_reader:reader@127.0.0.1:{place.server.port}/{database}"
    blind = cli.run("health", "--db", url)
    assert (blind.returncode, blind.stdout) == (3, "")
    assert "may not read alerts, models." in blind.stderr
    run(place, "grant select on alerts, models to health_reader")
    reading = cli.run("health", "--db", url, "--json")
    assert reading.returncode == 0, reading.stderr
    [note] = json.loads(reading.stdout)["findings"]
    assert (note["check"], note["severity"]) == ("rights", "note")


def test_where_there_is_nothing_to_look_at(cli: GraceCli, tmp_path: Path) -> None:
    nowhere = Place("sqlite", path=tmp_path / "none.sqlite")
    stranger = Place("sqlite", path=tmp_path / "stranger.sqlite")
    stranger.run("create table poems (id integer)")
    for place in (nowhere, stranger):
        done = cli.run("health", "--db", place.url)
        assert (done.returncode, done.stdout) == (3, "")
        assert "grace-dbt init" in done.stderr
    assert cli.run("health", "--db", "oracle://x").returncode == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "-5 s"), (45, "45 s"), (90, "1.5 min"), (3600, "1 h"), (86_760, "24.1 h"), (172_800, "2 days")],
)  # fmt: skip
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words
