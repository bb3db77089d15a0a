"""`grace-dbt init`: idempotent, convergent after any interruption, and harmless to what others made."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pymysql
import pytest
from conftest import ENGINES, FILES, SERVERS, GraceCli, Plan, environment, prepare
from grace_sample import SAMPLE, load_grace_sample
from places import Place
from row_values import RowMaker
from servers import PASSWORD, Server, free_port

from grace_dbt.cli.app import main
from grace_dbt.declaration import load_declaration
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational import backend, schema
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.plan import Step
from grace_dbt.operational.schema import InitReport, differences, initialise, plain_default
from grace_dbt.operational.sqlite import check_conditions
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.settings import Settings

EACH_FILE = pytest.mark.parametrize("dialect", FILES)
EACH_ENGINE = pytest.mark.parametrize("dialect", ENGINES)
EACH_SERVER = pytest.mark.parametrize("dialect", SERVERS)
COUNTS = {
    "sqlite": {"table": 96, "index": 131, "trigger": 21},
    "duckdb": {"table": 96, "index": 131, "trigger": 0},
    "postgres": {"table": 96, "index": 131, "trigger": 21, "comment": 96, "function": 7},
    "mariadb": {"table": 96, "index": 131, "trigger": 14, "guard": 7},
}
GUARDS = ("index", "trigger", "function", "guard")
ServerErrors = (psycopg2.Error, pymysql.Error)
NOTHING = {"table": 0, "index": 0, "trigger": 0}
TABLES = load_declaration()

NewPlace = Callable[[str], Place]
RunInit = Callable[..., InitReport]


@pytest.fixture
def run_init(grace_home: Path, monkeypatch: pytest.MonkeyPatch) -> RunInit:
    """`init` inside this process, for tests that need many of them."""
    monkeypatch.setattr(schema, "load_declaration", lambda: TABLES)

    def run(place: Place | str, **options: bool) -> InitReport:
        url = place if isinstance(place, str) else place.url
        return initialise(Settings(grace_home, OperationalUrl.parse(url)), **options)

    return run


@pytest.fixture
def new_file(tmp_path: Path) -> Callable[..., Place]:
    """Where a file may be made; SQLite unless said otherwise."""

    def make(name: str = "grace.sqlite", dialect: str = "sqlite") -> Place:
        return Place(dialect, path=tmp_path / name)

    return make


def bytes_of(place: Place) -> bytes:
    assert place.path
    return place.path.read_bytes()


# A database of its own


@EACH_ENGINE
def test_creates_everything_once(dialect: str, grace_cli: GraceCli, new_place: NewPlace) -> None:
    place = new_place(dialect)
    first = grace_cli.run("init", "--db", place.url, "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {
        "url": place.shown,
        "created": COUNTS[dialect],
        "planned": [],
        "adopted": [],
        "extra": [],
        "unseen": [],
        "drift": [],
    }
    before = bytes_of(place) if place.path else place.catalogue()
    second = grace_cli.run("init", "--db", place.url, "--json")
    assert json.loads(second.stdout)["created"] == NOTHING
    assert "Nothing to create" in second.stderr
    dry = grace_cli.run("init", "--db", place.url, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "")
    assert before == (bytes_of(place) if place.path else place.catalogue())
    assert PASSWORD not in first.stdout + first.stderr + second.stdout + second.stderr


def test_the_default_is_a_sqlite_file_in_a_home_that_is_created(
    planned_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "new" / "home"
    done = subprocess.run(
        GraceCli.command("init", "--dry-run"),
        env=environment(planned_home), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Would create 96 tables, 131 indexes, 21 triggers" in done.stderr
    assert not (planned_home / "operational.sqlite").exists()
    prepare(home, planned_home)
    place = Place("sqlite", path=home / "operational.sqlite")
    initialise(Settings(home, FileUrl("sqlite", home / "operational.sqlite")))
    assert len(place.catalogue()) > 96 + 131 + 21


def test_the_environment_names_the_database(grace_cli: GraceCli, new_file: NewPlace) -> None:
    place = new_file("named.sqlite")
    done = grace_cli.run("init", "--json", GRACE_OPERATIONAL_URL=place.url)
    assert json.loads(done.stdout)["url"] == place.url
    assert place.path
    assert place.path.exists()


@EACH_ENGINE
def test_a_dry_run_prints_what_would_run_and_touches_nothing(
    dialect: str, grace_cli: GraceCli, template_places: NewPlace, new_place: NewPlace
) -> None:
    place, by_script = new_place(dialect), new_place(dialect)
    done = grace_cli.run("init", "--db", place.url, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not (place.path.exists() if place.path else place.catalogue())
    by_script.run_script(done.stdout)
    assert by_script.catalogue() == template_places(dialect).catalogue()


def test_a_dry_run_on_a_half_made_database_prints_the_other_half(
    ddl_plan: dict[str, Plan], run_init: RunInit, new_file: NewPlace
) -> None:
    plan, place = ddl_plan["sqlite"], new_file("half.sqlite")
    place.run(*(step["sql"] for step in plan[:101]))
    before = bytes_of(place)
    report = run_init(place, dry_run=True)
    assert [step.sql for step in report.steps] == [step["sql"] for step in plan[101:]]
    assert bytes_of(place) == before
    applied = run_init(place)
    assert applied.steps == report.steps


@EACH_FILE
def test_any_file_name_will_do(dialect: str, run_init: RunInit, tmp_path: Path) -> None:
    path = tmp_path / "it's 100%25 a?b#c [bold].db"
    place = Place(dialect, path=Path(quote(str(path))))
    assert run_init(place).steps
    assert not run_init(place).steps
    assert [child.name for child in tmp_path.iterdir() if child.is_file()] == [path.name]


# Interruptions


@EACH_ENGINE
def test_converges_after_an_interruption_at_any_statement(
    dialect: str, ddl_plan: dict[str, Plan], run_init: RunInit, template_places: NewPlace,
    new_place: NewPlace,
) -> None:  # fmt: skip
    plan = [step["sql"] for step in ddl_plan[dialect]]
    expected = template_places(dialect).catalogue()
    points = [0, 1, 2, 101, 200, len(plan) - 1]
    if dialect == "postgres":
        # Its comment comes last, and one transaction holds all of it: a table is whole or not there.
        points = [n for n, step in enumerate(ddl_plan[dialect]) if step["kind"] == "table"][
            -50:-1:48
        ]
    elif dialect == "mariadb":
        points = [101, len(plan) - 1]
    for done in points:
        place = new_place(dialect)
        if done:
            place.run(*plan[:done])
        report = run_init(place)
        assert len(report.steps) == len(plan) - done
        assert not report.adopted
        assert not report.drift
        assert place.catalogue() == expected


KILLED = """
import os, signal, sys
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.plan import planned_schema
from grace_dbt.settings import Settings

settings = Settings.load(sys.argv[1])
database = open_database(settings.operational, write=True)
steps = planned_schema(database.dialect, settings).steps
if database.dialect == "sqlite":
    database.execute("pragma cache_size = 2")  # so that half of the work reaches the file
with database.transaction():
    for step in steps[: int(sys.argv[2])]:
        database.execute(step.sql)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@EACH_ENGINE
def test_converges_after_a_kill_inside_the_transaction(
    dialect: str, grace_home: Path, run_init: RunInit, template_places: NewPlace,
    new_place: NewPlace,
) -> None:  # fmt: skip
    place = new_place(dialect)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, place.url, "120"], env=environment(grace_home), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    if place.path and dialect == "sqlite":
        journal = place.path.with_name(place.path.name + "-journal")
        assert journal.exists(), "nothing reached the file"
    # MariaDB commits each statement that changes the schema.
    kept = 120 if dialect == "mariadb" else 0
    dry = run_init(place, dry_run=True)
    assert len(dry.steps) == sum(COUNTS[dialect].values()) - kept
    run_init(place)
    assert place.catalogue() == template_places(dialect).catalogue()


@EACH_FILE
def test_converges_after_a_kill_at_any_moment(
    dialect: str, grace_cli: GraceCli, run_init: RunInit, template_places: NewPlace,
    new_place: NewPlace,
) -> None:  # fmt: skip
    place = new_place(dialect)
    assert place.path
    for delay in (0.0, 0.03, 0.1):
        process = grace_cli.start("init", "--db", place.url)
        deadline = time.monotonic() + 30
        while not place.path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.communicate()
    run_init(place)
    assert place.catalogue() == template_places(dialect).catalogue()


@EACH_ENGINE
def test_two_at_once_make_one_catalogue(
    dialect: str, grace_cli: GraceCli, template_places: NewPlace, new_place: NewPlace
) -> None:
    place = new_place(dialect)
    processes = [grace_cli.start("init", "--json", "--db", place.url) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    created = [json.loads(out)["created"] for out, _ in outputs]
    assert sorted(map(str, created)) == sorted(map(str, [COUNTS[dialect], NOTHING]))
    assert place.catalogue() == template_places(dialect).catalogue()


@pytest.mark.parametrize("content", [b"", b"\0" * 4096], ids=["empty", "zeros"])
def test_a_duckdb_file_that_was_never_born_is_made_anew(
    content: bytes, run_init: RunInit, tmp_path: Path
) -> None:
    path = tmp_path / "unborn.duckdb"
    path.write_bytes(content)
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert len(run_init(Place("duckdb", path=path)).steps) == sum(COUNTS["duckdb"].values())


# Databases that another writer made

# As SQLAlchemy writes it; three rules of ours are missing, one column is another.
OTHERS = """
create table benchmark_runs (
    id INTEGER NOT NULL, run_id VARCHAR(128) NOT NULL, triggered_by VARCHAR(256),
    benchmark_type VARCHAR(32) NOT NULL, results JSON NOT NULL, metrics JSON NOT NULL,
    passed BOOLEAN NOT NULL, baseline_id VARCHAR(128), delta_from_baseline JSON,
    drift_detected BOOLEAN DEFAULT '0' NOT NULL, duration_seconds FLOAT NOT NULL,
    created_at DATETIME NOT NULL, is_golden BOOLEAN DEFAULT '0' NOT NULL,
    PRIMARY KEY (id), UNIQUE (run_id)
);
create table immutable_log (
    id INTEGER NOT NULL, sequence INTEGER NOT NULL, actor VARCHAR(64) NOT NULL,
    action VARCHAR(128) NOT NULL, resource VARCHAR(256), subsystem VARCHAR(64), payload TEXT,
    result VARCHAR(64), entry_hash VARCHAR(64) NOT NULL, previous_hash VARCHAR(64) NOT NULL,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (id), UNIQUE (sequence), UNIQUE (entry_hash)
);
create table feature_views (
    view_id VARCHAR(64) NOT NULL PRIMARY KEY, dataset_id VARCHAR(64) NOT NULL, version VARCHAR(8)
);
insert into feature_views values ('a', 'd', '1'), ('b', 'd', '1');
insert into immutable_log (sequence, actor, action, entry_hash, previous_hash)
    values (1, 'testuser', 'knowledge.ingested', 'h1', '0');
"""


@pytest.fixture
def others(new_file: NewPlace) -> Place:
    place = new_file("others.sqlite")
    place.run_script(OTHERS)
    return place


def entries_of(place: Place, tables: set[str]) -> list[Any]:
    return [entry for entry in place.catalogue() if entry[1] in tables]


def test_adopts_and_changes_nothing(others: Place, run_init: RunInit) -> None:
    adopted = {"benchmark_runs", "immutable_log", "feature_views"}
    before = entries_of(others, adopted)
    report = run_init(others)
    assert set(report.adopted) == adopted
    assert entries_of(others, adopted) == before
    assert len({entry[1] for entry in others.catalogue() if entry[0] == "table"}) == 96
    found = {(drift.table, drift.kind, drift.object) for drift in report.drift}
    assert {what for what in found if what[0] == "benchmark_runs"} == {
        ("benchmark_runs", "index", "ix_benchmark_runs__is_golden"),
        ("benchmark_runs", "index", "ix_benchmark_runs__created_at"),
    }
    assert {kind for table, kind, _ in found if table == "immutable_log"} == {"index", "trigger"}
    assert not run_init(others).steps


@EACH_SERVER
def test_a_unique_column_comes_with_its_index(
    dialect: str, new_place: NewPlace, run_init: RunInit
) -> None:
    """Rows can't be equal in a column that is not there yet."""
    place = new_place(dialect)
    place.run(
        "create table benchmark_runs (id bigint primary key)",
        "insert into benchmark_runs values (1), (2)",
    )
    planned = run_init(place, enforce=True, dry_run=True)
    own = {(step.kind, step.name) for step in planned.steps if step.table == "benchmark_runs"}
    assert {("column", "run_id"), ("unique", "run_id")} <= own
    run_init(place, enforce=True)
    assert not run_init(place, enforce=True, dry_run=True).steps


def test_enforces_what_can_be_and_reports_the_rest(others: Place, run_init: RunInit) -> None:
    planned = run_init(others, enforce=True, dry_run=True)
    report = run_init(others, enforce=True)
    assert report.steps == planned.steps
    left = {(drift.table, drift.kind) for drift in report.drift}
    assert left == {("feature_views", kind) for kind in ("not_null", "foreign_key", "index")}
    [duplicates] = [d for d in report.drift if d.object.startswith("ux_feature_views")]
    assert "stand in the way" in duplicates.found
    assert duplicates.mend
    with pytest.raises(sqlite3.IntegrityError, match="immutable_log is append-only"):
        others.run("delete from immutable_log")
    others.run("delete from feature_views where view_id = 'b'")
    mended = run_init(others, enforce=True)
    assert [step.name for step in mended.steps] == ["ux_feature_views__dataset_id__version"]


def test_a_long_text_that_mysql_cannot_index_is_left_without(
    new_place: NewPlace, run_init: RunInit
) -> None:
    """One statement that fails would leave the others undone: MySQL takes none of them back."""
    place = new_place("mariadb")
    place.run("create table action_contracts (id varchar(64) primary key, status longtext)")
    report = run_init(place, enforce=True)
    [status] = [d for d in report.drift if d.object == "ix_action_contracts__status"]
    assert (status.found, status.mend) == ("absent", None)
    assert "ix_action_contracts__created_at" in {step.name for step in report.steps}


def test_a_trigger_comes_with_the_columns_that_it_reads(
    new_file: NewPlace, run_init: RunInit
) -> None:
    """SQLite would take one on missing columns, and refuse every insert from then on."""
    place = new_file("strange.sqlite")
    place.run("create table immutable_log (number integer, words text)")
    assert not [step for step in run_init(place).steps if step.table == "immutable_log"]
    kinds = [s.kind for s in run_init(place, enforce=True).steps if s.table == "immutable_log"]
    assert kinds.index("trigger") > max(i for i, kind in enumerate(kinds) if kind == "column")
    place.run("insert into immutable_log (id, sequence, entry_hash) values (1, 1, 'a')")
    assert place.run("select sequence from immutable_log") == [(1,)]


def sample_place(dialect: str, new_place: NewPlace) -> tuple[Place, set[str]]:
    """A deployment of Grace that ran before grace-dbt, and its tables."""
    place = new_place(dialect)
    if not place.path:
        return place, set(load_grace_sample(place))
    shutil.copy(SAMPLE, place.path)
    return place, {table for _, table, _, sql in place.catalogue() if sql}


UNFIT_CHILDREN = ("playbook_runs", "shard_heartbeats")


def rows_of(place: Place, tables: set[str]) -> dict[str, list[Any]]:
    return {name: place.run(f"select * from {place.mark}{name}{place.mark}") for name in tables}


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_the_real_sample(dialect: str, grace_cli: GraceCli, new_place: NewPlace) -> None:
    place, names = sample_place(dialect, new_place)
    before, rows = entries_of(place, names), rows_of(place, names)
    assert sum(map(len, rows.values())) == 106
    done = grace_cli.run("init", "--json", "--db", place.url)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["adopted"]) == names
    assert report["created"]["table"] == 96 - 13
    assert (entries_of(place, names), rows_of(place, names)) == (before, rows)
    kinds = {(d["table"], d["kind"]) for d in report["drift"]}
    assert {table for table, kind in kinds if kind in ("column", "type")} == {"memory_operations"}
    # SQLAlchemy wrote a few rules more than the reference has; nothing else differs.
    additions = ("index", "trigger", "function", "guard", "default")
    assert kinds - {(t, k) for t, k in kinds if t == "memory_operations"} <= {
        *((table, kind) for table in names for kind in additions),
        ("mission_timelines", "not_null"),
        ("governance_votes", "foreign_key"),
        # MariaDB refuses a reference between integers of two sizes, and texts of two collations.
        *((table, "foreign_key") for table in UNFIT_CHILDREN if dialect == "mariadb"),
    }
    again = grace_cli.run("init", "--dry-run", "--db", place.url)
    assert all(line.startswith("--") for line in again.stdout.split("\n") if line)


@EACH_SERVER
def test_the_real_sample_is_mended(
    dialect: str, grace_cli: GraceCli, run_init: RunInit, new_place: NewPlace
) -> None:
    place, names = sample_place(dialect, new_place)
    rows = rows_of(place, names - {"memory_operations"})
    dry = grace_cli.run("init", "--enforce", "--dry-run", "--db", place.url)
    assert dry.returncode == 0, dry.stderr
    report = run_init(place, enforce=True)
    frame = ("begin", "commit", "set names utf8mb4")
    printed = [sql for sql in place.statements(dry.stdout) if sql not in frame]
    assert printed == [step.sql for step in report.steps]
    # An index over a column that was just added comes with the next run.
    assert {step.table for step in run_init(place, enforce=True).steps} <= {"memory_operations"}
    left = run_init(place, enforce=True)
    assert not left.steps + left.mends
    assert {drift.kind for drift in left.drift} <= {
        *("not_null", "type", "foreign_key", "column"),
        "guard",  # MariaDB: a reference to a key of another size
    }
    assert rows_of(place, names - {"memory_operations"}) == rows
    with pytest.raises(ServerErrors, match="immutable_log is append-only: a row is never deleted"):
        place.run("delete from immutable_log")


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_ours_is_completed_even_where_triggers_were_dropped(
    dialect: str, fresh_place: NewPlace, run_init: RunInit
) -> None:
    place = fresh_place(dialect)
    before = place.catalogue()
    where = " on immutable_log" if dialect == "postgres" else ""
    place.run(f"drop trigger immutable_log__never_updated{where}")
    assert [step.name for step in run_init(place).steps] == ["immutable_log__never_updated"]
    assert place.catalogue() == before


DISARMED: dict[str, dict[str, tuple[str, ...]]] = {
    "sqlite": {
        "immutable_log__never_updated": (
            "drop trigger immutable_log__never_updated",
            "create trigger immutable_log__never_updated before update on immutable_log"
            " when 0 begin select 1; end",
        )
    },
    "postgres": {
        "immutable_log__never_updated": (
            "alter table immutable_log disable trigger immutable_log__never_updated",
        ),
        "immutable_log__never_deleted": (
            "create or replace trigger immutable_log__never_deleted before delete on immutable_log"
            " for each row when (false) execute function immutable_log__refuse()",
        ),
        "audit_logs__refuse": (
            "create or replace function audit_logs__refuse() returns trigger language plpgsql"
            " as $$ begin return new; end $$",
        ),
    },
    "mariadb": {
        "immutable_log__never_updated": (
            "drop trigger immutable_log__never_updated",
            "create trigger immutable_log__never_updated before update on immutable_log"
            " for each row set @nothing = 1",
        )
    },
}


@pytest.mark.parametrize("dialect", DISARMED)
def test_what_was_disarmed_is_drift(dialect: str, fresh_place: NewPlace, run_init: RunInit) -> None:
    place, changed = fresh_place(dialect), DISARMED[dialect]
    place.run(*(sql for statements in changed.values() for sql in statements))
    report = run_init(place, enforce=True)
    assert not report.steps
    assert {drift.object for drift in report.drift} == changed.keys()
    assert all(drift.mend is None for drift in report.drift)


@EACH_ENGINE
def test_names_that_something_else_has_are_drift(
    dialect: str, run_init: RunInit, new_place: NewPlace
) -> None:
    """`create ... if not exists` would pass over them in silence, and each run would plan them again."""
    place = new_place(dialect)
    place.run(
        "create view security_events as select 1 as id",
        "create table elsewhere (a integer)",
        "create index ix_audit_logs__category on elsewhere (a)",
    )
    report = run_init(place)
    expected = {("table", "security_events", "view of this name")}
    # On MariaDB the name of an index belongs to its table.
    if dialect != "mariadb":
        index = "another index on elsewhere of this name"
        expected.add(("index", "ix_audit_logs__category", index))
    assert {(drift.kind, drift.object, drift.found) for drift in report.drift} == expected
    assert not run_init(place).steps


def test_a_table_in_capitals_is_another_one_on_postgres(
    run_init: RunInit, new_place: NewPlace
) -> None:
    place = new_place("postgres")
    place.run('create table "Datasets" (dataset_id text primary key)')
    report = run_init(place)
    found = {drift.found for drift in report.drift if drift.object == "datasets"}
    assert found == {'table "Datasets" of this name'}
    assert not run_init(place).steps


def test_duckdb_children_of_an_unfit_parent_are_reported(
    run_init: RunInit, new_file: Callable[..., Place]
) -> None:
    place = new_file("unfit.duckdb", "duckdb")
    place.run("create table datasets (dataset_id varchar)")
    report = run_init(place)
    blocked = {drift.table for drift in report.drift if drift.kind == "table"}
    unfit = {"datasets"}
    for _ in TABLES:
        unfit |= {
            table.name
            for table in TABLES.values()
            if any(c.references and c.references.table in unfit for c in table.columns)
        }
    assert blocked == unfit - {"datasets"}
    assert len(blocked) > 8
    assert len([step for step in report.steps if step.kind == "table"]) == 95 - len(blocked)
    assert not run_init(place).steps


@EACH_SERVER
@pytest.mark.parametrize("parent", ["dataset_id varchar(64)", "dataset_id integer primary key"])
def test_children_of_an_unfit_parent_are_made_without_the_reference(
    dialect: str, parent: str, run_init: RunInit, new_place: NewPlace
) -> None:
    place = new_place(dialect)
    place.run(f"create table datasets ({parent})")
    report = run_init(place)
    made = {step.name for step in report.steps if step.kind == "table"}
    assert made == TABLES.keys() - {"datasets"}
    children = {
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.columns
        if column.references and column.references.table == "datasets"
    }
    missing = {(d.table, d.object): d for d in report.drift if d.kind == "foreign_key"}
    assert missing.keys() == children
    assert {d.found for d in missing.values()} == {"absent: datasets.dataset_id is no fitting key"}
    assert not run_init(place).steps


def test_duckdb_tables_of_another_writer(run_init: RunInit, new_file: Callable[..., Place]) -> None:
    place = new_file("others.duckdb", "duckdb")
    place.run("create table security_events (id integer, created_at date)")
    report = run_init(place, enforce=True)
    assert report.adopted == ("security_events",)
    assert ("primary_key", "absent") in {(drift.kind, drift.found) for drift in report.drift}
    assert "ix_security_events__created_at" in {step.name for step in report.steps}


# Declaration -> create -> reflect -> no difference; and each kind of difference seen


@EACH_ENGINE
def test_what_is_declared_is_what_is_reflected(
    dialect: str, template_places: NewPlace, ddl_plan: dict[str, Plan]
) -> None:
    steps = [Step(**step) for step in ddl_plan[dialect]]  # type: ignore[arg-type]
    url = OperationalUrl.parse(template_places(dialect).url)
    with open_database(url, write=False) as database:
        assert database.dialect == dialect
        reflected = database.reflect(TABLES.keys()).tables
        expected = database.expected(steps, TABLES).tables
    assert reflected.keys() == expected.keys() == TABLES.keys()
    guards = {"sqlite": 3, "duckdb": 0, "postgres": 4, "mariadb": 3}[dialect]
    for name, table in TABLES.items():
        facts = reflected[name]
        assert differences(table, facts, expected[name]) == []
        assert facts.definition == expected[name].definition
        assert facts.triggers == expected[name].triggers
        assert [c.name for c in facts.columns] == [c.name for c in table.columns]
        assert {(i.columns, i.unique) for i in facts.indexes.values()} == {
            (i.columns, i.unique) for i in table.indexes
        }
        assert len(facts.triggers) == (guards if table.mutability != "mutable" else 0)


# (kind, table, what is changed in its statement); words in braces are the engine's own.
MUTATIONS = [
    ("column", "action_contracts", r'    "tier" \w+,\n', ""),
    ("column", "action_contracts", r'"tier" (\w+)', r'"tier" \1, "more" \1'),
    ("type", "action_contracts", r'"run_id" \w+', '"run_id" {text}'),
    ("not_null", "audit_logs", r'("hash" \S+) not null', r"\1"),
    ("not_null", "audit_logs", r'("previous_hash" \S+?)(,?\n)', r"\1 not null\2"),
    ("default", "action_contracts", r" default \(?'pending'\)?", ""),
    ("default", "action_contracts", r" default (\(?)FALSE", r" default \1TRUE"),
    ("primary_key", "audit_logs", r',\n    primary key \("entry_id"\)', ""),
    ("unique", "immutable_log", r'("sequence" \w+ not null) unique', r"\1"),
    ("unique", "audit_logs", r'("category" \S+ not null)', r"\1 unique"),
    ("foreign_key", "processing_metrics", r'(,\n    foreign key \("source_id"\))? references [^\n]*?(?=,?\n)', ""),
    ("check", "sources", r" check \(\"pii_policy\" in [^\n]*?\)\)", ""),
]  # fmt: skip


@EACH_ENGINE
@pytest.mark.parametrize("case", MUTATIONS, ids=lambda case: f"{case[0]} of {case[1]}")
def test_each_kind_of_difference_is_drift(
    dialect: str, case: tuple[str, str, str, str], ddl_plan: dict[str, Plan],
    run_init: RunInit, new_place: NewPlace,
) -> None:  # fmt: skip
    kind, name, old, new = case
    place, plan = new_place(dialect), ddl_plan[dialect]
    old, new = (words.replace('"', place.mark) for words in (old, new))
    text = {"sqlite": "TEXT", "duckdb": "VARCHAR", "postgres": "text", "mariadb": "longtext"}
    [original] = [s["sql"] for s in plan if s["kind"] == "table" and s["name"] == name]
    old, new = (words.replace("{text}", text[dialect]) for words in (old, new))
    mutated = re.sub(old, new, original, count=1)
    assert mutated != original
    parents = [s["sql"] for s in plan if s["kind"] == "table" and s["name"] == "sources"]
    place.run(*(parents if name != "sources" else []), mutated)
    report = run_init(place, dry_run=True)
    structural = {(d.table, d.kind) for d in report.drift if d.kind not in (*GUARDS, "table")}
    # A server knows by the comment which tables are ours, a file by their statements.
    ours = {step.table for step in report.steps if step.kind == "column"}
    assert structural | {(table, "column") for table in ours} == {(name, kind)}


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_a_missing_action_is_drift(
    dialect: str, ddl_plan: dict[str, Plan], run_init: RunInit, new_place: NewPlace
) -> None:
    place = new_place(dialect)
    made = {s["name"]: s["sql"] for s in ddl_plan[dialect] if s["kind"] == "table"}
    child = made["processing_metrics"].replace(" on delete cascade", "")
    place.run(made["sources"], child)
    [drift] = [d for d in run_init(place, dry_run=True).drift if d.kind == "foreign_key"]
    assert drift.expected == "references sources (source_id) on delete cascade"
    assert drift.found == "references sources (source_id)"


DROPPED = {
    "postgres": (
        "alter table action_contracts drop column tier",
        "alter table processing_metrics drop constraint processing_metrics_source_id_fkey",
        "alter table sources drop constraint sources_pii_policy_check",
        "alter table sources alter column enabled drop default",
        "alter table immutable_log drop constraint immutable_log_sequence_key",
    ),
    "mariadb": (
        "alter table action_contracts drop column tier",
        "alter table processing_metrics drop foreign key processing_metrics_ibfk_1",
        "alter table sources modify pii_policy longtext not null default ('mask')",
        "alter table sources alter column enabled drop default",
        "alter table immutable_log drop index sequence",
    ),
}


@EACH_SERVER
def test_what_was_dropped_of_ours_comes_back(
    dialect: str, fresh_place: NewPlace, run_init: RunInit
) -> None:
    place = fresh_place(dialect)
    place.run(*DROPPED[dialect])
    report = run_init(place)
    assert [(step.kind, step.name) for step in report.steps] == [("column", "tier")]
    wanted = {
        ("default", "enabled"), ("check", "pii_policy"), ("foreign_key", "source_id"),
        ("unique", "sequence"),
    }  # fmt: skip
    assert {(step.kind, step.name) for step in report.mends} == wanted
    assert {(drift.kind, drift.object) for drift in report.drift} == wanted
    mended = run_init(place, enforce=True)
    assert {(step.kind, step.name) for step in mended.steps} == wanted
    assert not mended.drift
    after = run_init(place, enforce=True)
    assert not after.steps
    assert not after.drift


@pytest.mark.parametrize(
    ("one", "other", "data_type"),
    [
        ("0", "'0'", "integer"),
        ("0.0", "'0.0'", "real"),
        ("FALSE", "'0'", "boolean"),
        ("TRUE", "CAST('t' AS BOOLEAN)", "boolean"),
        ("CURRENT_TIMESTAMP", "(current_timestamp)", "timestamp"),
        ("CURRENT_TIMESTAMP", "now()", "timestamp"),
        (None, "NULL", "text"),
    ],
)
def test_defaults_that_mean_the_same(one: str | None, other: str, data_type: str) -> None:
    assert plain_default(one, data_type) == plain_default(other, data_type)


def test_checks_are_read_out_of_a_definition() -> None:
    sql = """create table t (a text check (a in ('x)', 'y')), -- check (no)
        b text default 'check (no)', c real, CHECK /* why */ ((c > 0) and c < 1))"""
    assert check_conditions(sql) == ("a in ('x)', 'y')", "(c > 0) and c < 1")


# Bad input


Main = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def grace_main(
    grace_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Main:
    """The entry point of the package, called in this process: what a shell sees, but sooner."""
    monkeypatch.setenv("GRACE_HOME", str(grace_home))
    monkeypatch.delenv("GRACE_OPERATIONAL_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["grace-dbt", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out, err)

    return run


def fails(done: subprocess.CompletedProcess[str], *words: str, code: int = 3) -> None:
    """Two lines on stderr and the exit code, no traceback, nothing on stdout."""
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (code, "", 2), done.stderr
    assert lines[0].startswith("Error: ")
    assert all(word in done.stderr for word in words), done.stderr


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@EACH_FILE
@pytest.mark.parametrize("content", [b"not a database\n" * 999, b"x"], ids=["long", "short"])
def test_a_file_that_is_no_database(
    dialect: str, content: bytes, grace_main: Main, tmp_path: Path
) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), "damaged", "nothing was changed")
    assert path.read_bytes() == content


@pytest.mark.parametrize("dialect", FILES)
def test_a_damaged_database(
    dialect: str, grace_main: Main, templates: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"damaged.{dialect}"
    content = bytearray((templates / f"fresh.{dialect}").read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), "damaged")
    assert path.read_bytes() == bytes(content)


@EACH_FILE
def test_a_database_of_the_other_engine(
    dialect: str, grace_main: Main, templates: Path, tmp_path: Path
) -> None:
    other = "duckdb" if dialect == "sqlite" else "sqlite"
    path = Path(shutil.copy(templates / f"fresh.{other}", tmp_path / "other"))
    before = digest(path)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), f"{other}:///{path}")
    assert digest(path) == before


@EACH_FILE
def test_places_where_no_file_can_be(dialect: str, grace_main: Main, tmp_path: Path) -> None:
    fails(grace_main("init", "--db", f"{dialect}:///{tmp_path}"), "is a directory")
    missing = tmp_path / "missing" / "grace.db"
    for options in ((), ("--dry-run",)):
        done = grace_main("init", "--db", f"{dialect}:///{missing}", *options)
        fails(done, "no directory", str(missing.parent))
    assert not missing.parent.exists()
    (tmp_path / "file").write_text("")
    fails(grace_main("init", "--db", f"{dialect}:///{tmp_path}/file/grace.db"), "can't be reached")


def _with_port(server: Server, port: int) -> str:
    return server.url.replace(f":{server.port}/", f":{port}/")


UNUSABLE: dict[str, Callable[[Server], str]] = {
    "another password": lambda server: server.url.replace("canary", "wrong"),
    "no password": lambda server: server.plain_url,
    "unknown user": lambda server: server.url.replace("//grace:", "//nobody:"),
    "unknown database": lambda server: f"{server.url}_unknown",
    "nobody listens": lambda server: _with_port(server, free_port()),
    "unknown host": lambda server: server.url.replace("127.0.0.1", "no-such-host.invalid"),
    "no TLS there": lambda server: (
        f"{server.url}?{'sslmode=require' if server.dialect == 'postgres' else 'ssl_mode=required'}"
    ),
}
WORDS = {
    "another password": "does not let this user in",
    "no password": "does not let this user in",
    "unknown user": "does not let this user in",
    "unknown database": "no database",
    "nobody listens": "can't be reached",
    "unknown host": "can't be reached",
    "no TLS there": "no safe connection",
}


@EACH_SERVER
@pytest.mark.parametrize("case", UNUSABLE)
def test_a_server_that_can_not_be_used(
    dialect: str, case: str, grace_main: Main, running: Callable[[str], Server]
) -> None:
    url = UNUSABLE[case](replace(running(dialect), database="grace"))
    done = grace_main("init", "--db", url)
    # The exact words are those of the drivers; which kind of failure it is must be told.
    fails(done, WORDS[case])
    assert "canary" not in done.stderr
    assert "wrong" not in done.stderr


def test_a_schema_of_postgres_that_is_not_there(grace_main: Main, new_place: NewPlace) -> None:
    place = new_place("postgres")
    fails(grace_main("init", "--db", f"{place.url}?schema=Other"), "has no schema Other")


def test_another_schema_of_postgres(new_place: NewPlace, run_init: RunInit) -> None:
    """Tables of the same name beside it are none of its business."""
    place = new_place("postgres")
    place.run('create schema "My \'Own"', "create table datasets (a integer)")
    url = place.url + "?schema=My%20%27Own"
    assert len(run_init(url).steps) == sum(COUNTS["postgres"].values())
    assert not run_init(url).steps
    [(count,)] = place.run("select count(*) from pg_tables where schemaname = 'My ''Own'")
    assert count == 96


@EACH_SERVER
def test_a_user_who_may_only_read(
    dialect: str, grace_main: Main, fresh_place: NewPlace, new_place: NewPlace
) -> None:
    complete, empty = fresh_place(dialect), new_place(dialect)
    for place in (complete, empty):
        assert place.server
        name = f"reader_{place.server.database}"
        url = place.url.replace("//grace:", f"//{name}:")
        if dialect == "postgres":
            place.run(f"create role {name} login password '{PASSWORD}'")
        else:
            place.run(
                f"create user {name} identified by '{PASSWORD}'",
                # Without the right to triggers nobody sees which there are.
                f"grant select, trigger on {place.server.database}.* to {name}",
            )
        before = place.catalogue()
        done = grace_main("init", "--db", url)
        if place is empty:
            fails(done, "may not")
        else:
            # Nothing to do is nothing to write.
            assert done.returncode == 0, done.stderr
        assert place.catalogue() == before


def test_an_empty_sqlite_file_is_an_empty_database(run_init: RunInit, new_file: NewPlace) -> None:
    place = new_file("empty.sqlite")
    assert place.path
    place.path.touch()
    assert len(run_init(place).steps) == sum(COUNTS["sqlite"].values())


@EACH_FILE
def test_a_read_only_file(
    dialect: str, grace_cli: GraceCli, ddl_plan: dict[str, Plan], fresh_place: NewPlace,
    new_place: NewPlace,
) -> None:  # fmt: skip
    complete, half = fresh_place(dialect), new_place(dialect)
    half.run(ddl_plan[dialect][0]["sql"])
    for place in (complete, half):
        assert place.path
        place.path.chmod(0o444)
    # Nothing to do is nothing to write.
    done = grace_cli.run("init", "--db", complete.url, rights=False)
    assert done.returncode == 0, done.stderr
    before = bytes_of(half)
    fails(grace_cli.run("init", "--db", half.url, rights=False), "can't be written")
    assert bytes_of(half) == before


@EACH_FILE
def test_a_read_only_directory_and_an_unreadable_file(
    dialect: str, grace_cli: GraceCli, templates: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "protected"
    folder.mkdir()
    secret = Path(shutil.copy(templates / f"fresh.{dialect}", folder / "secret"))
    secret.chmod(0)
    folder.chmod(0o555)
    try:
        for name in ("new", "secret"):
            done = grace_cli.run("init", "--db", f"{dialect}:///{folder}/{name}", rights=False)
            fails(done, str(folder / name))
    finally:
        folder.chmod(0o755)


@EACH_FILE
def test_a_full_disk(
    dialect: str, grace_cli: GraceCli, template_places: NewPlace, run_init: RunInit,
    new_place: NewPlace,
) -> None:  # fmt: skip
    place = new_place(dialect)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = grace_cli.run("init", "--db", place.url, limits=small)
    fails(done, "could not be written")
    run_init(place)
    assert place.catalogue() == template_places(dialect).catalogue()


@EACH_FILE
def test_a_locked_database(
    dialect: str, run_init: RunInit, monkeypatch: pytest.MonkeyPatch, new_place: NewPlace
) -> None:
    place = new_place(dialect)
    place.run("create table other (a integer)")
    monkeypatch.setattr(backend, "WAIT_SECONDS", 0.3)
    hold = (
        "import sqlite3; c = sqlite3.connect(sys.argv[1]); c.execute('begin immediate')"
        if dialect == "sqlite"
        else "import duckdb; c = duckdb.connect(sys.argv[1])"
    )
    code = f"import sys; {hold}; print('held', flush=True); sys.stdin.read()"
    assert place.path
    with subprocess.Popen(
        [sys.executable, "-c", code, place.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(GraceError, match="Another process has") as locked:
            run_init(place)
        holder.communicate()
    assert locked.value.exit_code == ExitCode.ENVIRONMENT
    assert len(run_init(place).steps) == sum(COUNTS[dialect].values())


@EACH_SERVER
def test_runs_on_a_server_hold_each_other_off(
    dialect: str, run_init: RunInit, monkeypatch: pytest.MonkeyPatch, new_place: NewPlace
) -> None:
    place = new_place(dialect)
    monkeypatch.setattr(backend, "WAIT_SECONDS", 1.0)
    url = OperationalUrl.parse(place.url)
    with (
        open_database(url, write=True) as other,
        other.transaction(),
        pytest.raises(GraceError, match="Another ") as locked,
    ):
        run_init(place)
    assert locked.value.exit_code == ExitCode.ENVIRONMENT
    assert not place.catalogue()


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_a_statement_that_fails_undoes_all(
    dialect: str, run_init: RunInit, monkeypatch: pytest.MonkeyPatch, new_place: NewPlace
) -> None:
    from grace_dbt.operational.postgres import PostgresBackend
    from grace_dbt.operational.sqlite import SQLiteBackend

    engine: Any = SQLiteBackend if dialect == "sqlite" else PostgresBackend
    place = new_place(dialect)
    place.run("create table other (a integer)")
    before, execute = place.catalogue(), engine.execute

    def fail_late(self: Any, sql: str) -> None:
        broken = self._place != "memory" and "ix_audit_logs__category" in sql
        execute(self, "create nonsense" if broken else sql)

    monkeypatch.setattr(engine, "execute", fail_late)
    with pytest.raises(GraceError, match="refuses a statement") as refused:
        run_init(place)
    assert refused.value.exit_code == ExitCode.ENVIRONMENT
    assert place.catalogue() == before


def test_a_wal_database_is_adopted_while_a_reader_reads(
    run_init: RunInit, new_file: NewPlace
) -> None:
    place = new_file("wal.sqlite")
    place.run("pragma journal_mode = wal", "create table other (a integer)")
    assert place.path
    with closing(sqlite3.connect(place.path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from other").fetchall()
        assert len(run_init(place).steps) == sum(COUNTS["sqlite"].values())


def test_rows_survive(fresh_sqlite: Path, run_init: RunInit) -> None:
    with closing(sqlite3.connect(fresh_sqlite, isolation_level=None)) as lite:
        lite.execute("pragma foreign_keys = on")
        maker = RowMaker(lite, TABLES)
        for table in TABLES.values():
            maker.insert_valid(table)
        before = list(lite.iterdump())
    run_init(Place("sqlite", path=fresh_sqlite), enforce=True)
    with closing(sqlite3.connect(fresh_sqlite)) as lite:
        assert list(lite.iterdump()) == before
