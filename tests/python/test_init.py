"""`grace-dbt init`: idempotent, convergent after any interruption, and harmless to what others made."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import DIALECTS, ROOT, GraceCli, Plan, environment
from row_values import RowMaker

from grace_dbt.cli.app import main
from grace_dbt.declaration import load_declaration
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational import backend, schema
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.catalogue import TableFacts
from grace_dbt.operational.schema import InitReport, differences, initialise, plain_default
from grace_dbt.operational.sqlite import check_conditions
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings

EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
COUNTS = {
    "sqlite": {"table": 96, "index": 131, "trigger": 21},
    "duckdb": {"table": 96, "index": 131, "trigger": 0},
}
NOTHING = {"table": 0, "index": 0, "trigger": 0}
TABLES = load_declaration()
REAL_SAMPLE = ROOT / "tests" / "fixtures" / "grace_sample.sqlite"


@pytest.fixture
def run_init(grace_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., InitReport]:
    """`init` inside this process, for tests that need many of them."""
    monkeypatch.setattr(schema, "load_declaration", lambda: TABLES)

    def run(path: Path, dialect: str = "sqlite", **options: bool) -> InitReport:
        return initialise(Settings(grace_home, FileUrl(dialect, path)), **options)

    return run


def catalogue(path: Path, dialect: str) -> list[Any]:
    """All that makes two catalogues the same, as the engine keeps it."""
    if dialect == "sqlite":
        with closing(sqlite3.connect(path)) as lite:
            return lite.execute(
                "select type, name, tbl_name, sql from sqlite_master order by 1, 2"
            ).fetchall()
    with duckdb.connect(path, read_only=True) as duck:
        return duck.execute(
            "select table_name, sql from duckdb_tables()"
            " union all select index_name, sql from duckdb_indexes() order by 1, 2"
        ).fetchall()


def run_statements(path: Path, dialect: str, *statements: str) -> None:
    """Run statements, each committed by itself."""
    if dialect == "sqlite":
        with closing(sqlite3.connect(path, isolation_level=None)) as lite:
            for sql in statements:
                lite.execute(sql)
        return
    with duckdb.connect(path) as duck:
        for sql in statements:
            duck.execute(sql)


def template(templates: Path, dialect: str) -> list[Any]:
    return catalogue(templates / f"fresh.{dialect}", dialect)


# A database of its own


@EACH_DIALECT
def test_creates_everything_once(dialect: str, grace_cli: GraceCli, tmp_path: Path) -> None:
    path = tmp_path / f"grace.{dialect}"
    first = grace_cli.run("init", "--db", f"{dialect}:///{path}", "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report == {
        "url": f"{dialect}:///{path}",
        "created": COUNTS[dialect],
        "planned": [],
        "adopted": [],
        "drift": [],
    }
    before = path.read_bytes()
    second = grace_cli.run("init", "--db", f"{dialect}:///{path}", "--json")
    assert json.loads(second.stdout)["created"] == NOTHING
    assert "Nothing to create" in second.stderr
    dry = grace_cli.run("init", "--db", f"{dialect}:///{path}", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "")
    assert path.read_bytes() == before


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
    settings = Settings(home, FileUrl("sqlite", home / "operational.sqlite"))
    shutil.copytree(planned_home / "dbt" / "ddl", tmp_path / "kept")
    (home / "dbt").mkdir(parents=True)
    shutil.copytree(tmp_path / "kept", home / "dbt" / "ddl")
    initialise(settings)
    assert len(catalogue(home / "operational.sqlite", "sqlite")) > 96 + 131 + 21


def test_the_environment_names_the_database(grace_cli: GraceCli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'named.sqlite'}"
    done = grace_cli.run("init", "--json", GRACE_OPERATIONAL_URL=url)
    assert json.loads(done.stdout)["url"] == url
    assert (tmp_path / "named.sqlite").exists()


@EACH_DIALECT
def test_a_dry_run_prints_what_would_run_and_touches_nothing(
    dialect: str, grace_cli: GraceCli, templates: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"grace.{dialect}"
    done = grace_cli.run("init", "--db", f"{dialect}:///{path}", "--dry-run")
    assert done.returncode == 0
    assert not path.exists()
    script = tmp_path / "by-script"
    if dialect == "sqlite":
        with closing(sqlite3.connect(script)) as lite:
            lite.executescript(done.stdout)
    else:
        run_statements(script, dialect, done.stdout)
    assert catalogue(script, dialect) == template(templates, dialect)


def test_a_dry_run_on_a_half_made_database_prints_the_other_half(
    ddl_plan: dict[str, Plan], run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    plan = ddl_plan["sqlite"]
    path = tmp_path / "half.sqlite"
    run_statements(path, "sqlite", *(step["sql"] for step in plan[:101]))
    before = path.read_bytes()
    report = run_init(path, dry_run=True)
    assert [step.sql for step in report.steps] == [step["sql"] for step in plan[101:]]
    assert path.read_bytes() == before
    applied = run_init(path)
    assert applied.steps == report.steps


@EACH_DIALECT
def test_any_file_name_will_do(
    dialect: str, run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "it's 100%25 a?b#c [bold].db"
    assert run_init(path, dialect).steps
    assert not run_init(path, dialect).steps
    assert [child.name for child in tmp_path.iterdir() if child.is_file()] == [path.name]


# Interruptions


@EACH_DIALECT
def test_converges_after_an_interruption_at_any_statement(
    dialect: str, ddl_plan: dict[str, Plan], run_init: Callable[..., InitReport],
    templates: Path, tmp_path: Path,
) -> None:  # fmt: skip
    plan = [step["sql"] for step in ddl_plan[dialect]]
    expected = template(templates, dialect)
    for done in (0, 1, 2, 101, 200, len(plan) - 1):
        path = tmp_path / f"{done}.{dialect}"
        run_statements(path, dialect, *plan[:done])
        report = run_init(path, dialect)
        assert len(report.steps) == len(plan) - done
        assert not report.adopted
        assert not report.drift
        assert catalogue(path, dialect) == expected


KILLED = """
import os, signal, sys
from pathlib import Path
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.plan import planned_schema
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings

settings = Settings.load(sys.argv[1])
plan = planned_schema(settings.operational.dialect, settings)
database = open_database(settings.operational, write=True)
if settings.operational.dialect == "sqlite":
    database.execute("pragma cache_size = 2")  # so that half of the work reaches the file
with database.transaction():
    for step in plan[: int(sys.argv[2])]:
        database.execute(step.sql)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@EACH_DIALECT
def test_converges_after_a_kill_inside_the_transaction(
    dialect: str, grace_home: Path, run_init: Callable[..., InitReport],
    templates: Path, tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / f"killed.{dialect}"
    arguments = [f"{dialect}:///{path}", "120"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], env=environment(grace_home), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    if dialect == "sqlite":
        assert path.with_name(path.name + "-journal").exists(), "nothing reached the file"
    dry = run_init(path, dialect, dry_run=True)
    assert len(dry.steps) == sum(COUNTS[dialect].values())
    run_init(path, dialect)
    assert catalogue(path, dialect) == template(templates, dialect)


@EACH_DIALECT
def test_converges_after_a_kill_at_any_moment(
    dialect: str, grace_cli: GraceCli, run_init: Callable[..., InitReport],
    templates: Path, tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / f"killed.{dialect}"
    for delay in (0.0, 0.03, 0.1):
        process = grace_cli.start("init", "--db", f"{dialect}:///{path}")
        deadline = time.monotonic() + 30
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.communicate()
    run_init(path, dialect)
    assert catalogue(path, dialect) == template(templates, dialect)


@EACH_DIALECT
def test_two_at_once_make_one_catalogue(
    dialect: str, grace_cli: GraceCli, templates: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"shared.{dialect}"
    processes = [
        grace_cli.start("init", "--json", "--db", f"{dialect}:///{path}") for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    created = [json.loads(out)["created"] for out, _ in outputs]
    assert sorted(map(str, created)) == sorted(map(str, [COUNTS[dialect], NOTHING]))
    assert catalogue(path, dialect) == template(templates, dialect)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096], ids=["empty", "zeros"])
def test_a_duckdb_file_that_was_never_born_is_made_anew(
    content: bytes, run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "unborn.duckdb"
    path.write_bytes(content)
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert len(run_init(path, "duckdb").steps) == sum(COUNTS["duckdb"].values())


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
def others(tmp_path: Path) -> Path:
    path = tmp_path / "others.sqlite"
    with closing(sqlite3.connect(path)) as lite:
        lite.executescript(OTHERS)
    return path


def entries_of(path: Path, tables: set[str]) -> list[Any]:
    return [entry for entry in catalogue(path, "sqlite") if entry[2] in tables]


def test_adopts_and_changes_nothing(others: Path, run_init: Callable[..., InitReport]) -> None:
    adopted = {"benchmark_runs", "immutable_log", "feature_views"}
    before = entries_of(others, adopted)
    report = run_init(others)
    assert set(report.adopted) == adopted
    assert entries_of(others, adopted) == before
    assert len({entry[1] for entry in catalogue(others, "sqlite") if entry[0] == "table"}) == 96
    found = {(drift.table, drift.kind, drift.object) for drift in report.drift}
    assert {what for what in found if what[0] == "benchmark_runs"} == {
        ("benchmark_runs", "index", "ix_benchmark_runs__is_golden"),
        ("benchmark_runs", "index", "ix_benchmark_runs__created_at"),
    }
    assert {kind for table, kind, _ in found if table == "immutable_log"} == {"index", "trigger"}
    assert not run_init(others).steps


def test_enforces_what_can_be_and_reports_the_rest(
    others: Path, run_init: Callable[..., InitReport]
) -> None:
    planned = run_init(others, enforce=True, dry_run=True)
    report = run_init(others, enforce=True)
    assert report.steps == planned.steps
    left = {(drift.table, drift.kind) for drift in report.drift}
    assert left == {
        ("feature_views", kind) for kind in ("column", "not_null", "foreign_key", "index")
    }
    [duplicates] = [d for d in report.drift if d.object.startswith("ux_feature_views")]
    assert "stand in the way" in duplicates.found
    assert duplicates.mend
    with closing(sqlite3.connect(others)) as lite:
        with pytest.raises(sqlite3.IntegrityError, match="immutable_log is append-only"):
            lite.execute("delete from immutable_log")
        lite.execute("delete from feature_views where view_id = 'b'")
        lite.commit()
    mended = run_init(others, enforce=True)
    assert [step.name for step in mended.steps] == ["ux_feature_views__dataset_id__version"]


def test_no_trigger_on_columns_that_are_missing(
    tmp_path: Path, run_init: Callable[..., InitReport]
) -> None:
    """SQLite would take it, and refuse every insert from then on."""
    path = tmp_path / "strange.sqlite"
    run_statements(path, "sqlite", "create table immutable_log (number integer, words text)")
    report = run_init(path, enforce=True)
    assert not [step for step in report.steps if step.table == "immutable_log"]
    assert all(d.mend is None for d in report.drift if d.kind == "trigger")
    run_statements(path, "sqlite", "insert into immutable_log values (1, 'still taken')")


def test_the_real_sample(grace_cli: GraceCli, tmp_path: Path) -> None:
    path = tmp_path / "real.sqlite"
    path.write_bytes(REAL_SAMPLE.read_bytes())
    with closing(sqlite3.connect(path)) as lite:
        names = {row[0] for row in lite.execute("select name from sqlite_master where sql > ''")}
        rows = {name: lite.execute(f'select * from "{name}"').fetchall() for name in names}
    before = entries_of(path, names)
    done = grace_cli.run("init", "--json", "--db", f"sqlite:///{path}")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["adopted"]) == names
    assert report["created"]["table"] == 96 - 13
    assert entries_of(path, names) == before
    with closing(sqlite3.connect(path)) as lite:
        assert all(
            lite.execute(f'select * from "{name}"').fetchall() == rows[name] for name in names
        )
    kinds = {(d["table"], d["kind"]) for d in report["drift"]}
    assert {table for table, kind in kinds if kind in ("column", "type")} == {"memory_operations"}
    # SQLAlchemy wrote a few rules more than the reference has; nothing else differs.
    assert kinds - {(t, k) for t, k in kinds if t == "memory_operations"} <= {
        *((table, kind) for table in names for kind in ("index", "trigger", "default")),
        ("mission_timelines", "not_null"),
        ("governance_votes", "foreign_key"),
    }
    again = grace_cli.run("init", "--dry-run", "--db", f"sqlite:///{path}")
    assert again.stdout == ""


def test_ours_is_completed_even_where_triggers_were_dropped(
    fresh_sqlite: Path, run_init: Callable[..., InitReport]
) -> None:
    before = catalogue(fresh_sqlite, "sqlite")
    run_statements(fresh_sqlite, "sqlite", "drop trigger immutable_log__never_updated")
    assert [step.name for step in run_init(fresh_sqlite).steps] == ["immutable_log__never_updated"]
    assert catalogue(fresh_sqlite, "sqlite") == before


def test_a_disarmed_trigger_is_drift(
    fresh_sqlite: Path, run_init: Callable[..., InitReport]
) -> None:
    run_statements(
        fresh_sqlite, "sqlite", "drop trigger immutable_log__never_updated",
        "create trigger immutable_log__never_updated before update on immutable_log"
        " when 0 begin select 1; end",
    )  # fmt: skip
    report = run_init(fresh_sqlite, enforce=True)
    assert not report.steps
    [drift] = report.drift
    assert (drift.kind, drift.object) == ("trigger", "immutable_log__never_updated")
    assert drift.mend is None


@EACH_DIALECT
def test_names_that_something_else_has_are_drift(
    dialect: str, run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    """`create ... if not exists` would pass over them in silence, and each run would plan them again."""
    path = tmp_path / f"taken.{dialect}"
    run_statements(
        path, dialect, "create view security_events as select 1 as id",
        "create table elsewhere (a integer)",
        "create index ix_audit_logs__category on elsewhere (a)",
    )  # fmt: skip
    report = run_init(path, dialect)
    found = {(drift.kind, drift.object, drift.found) for drift in report.drift}
    assert found == {
        ("table", "security_events", "view of this name"),
        ("index", "ix_audit_logs__category", "another index on elsewhere of this name"),
    }
    assert not run_init(path, dialect).steps


def test_duckdb_children_of_an_unfit_parent_are_reported(
    run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "unfit.duckdb"
    run_statements(path, "duckdb", "create table datasets (dataset_id varchar)")
    report = run_init(path, "duckdb")
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
    assert not run_init(path, "duckdb").steps


def test_duckdb_tables_of_another_writer(
    run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "others.duckdb"
    run_statements(path, "duckdb", "create table security_events (id integer, created_at date)")
    report = run_init(path, "duckdb", enforce=True)
    assert report.adopted == ("security_events",)
    assert ("primary_key", "absent") in {(drift.kind, drift.found) for drift in report.drift}
    assert "ix_security_events__created_at" in {step.name for step in report.steps}


# Declaration -> create -> reflect -> no difference; and each kind of difference seen


@pytest.fixture(scope="module")
def reflected(templates: Path) -> Iterator[dict[str, dict[str, TableFacts]]]:
    names = {name.lower() for name in TABLES}
    facts = {}
    for dialect in DIALECTS:
        url = FileUrl(dialect, templates / f"fresh.{dialect}")
        with open_database(url, write=False) as database:
            facts[dialect] = dict(database.reflect(names).tables)
    yield facts


@EACH_DIALECT
def test_what_is_declared_is_what_is_reflected(
    dialect: str, reflected: dict[str, dict[str, TableFacts]]
) -> None:
    cascades = dialect == "sqlite"
    assert reflected[dialect].keys() == TABLES.keys()
    for name, table in TABLES.items():
        facts = reflected[dialect][name]
        assert differences(table, facts, cascades) == []
        assert [c.name for c in facts.columns] == [c.name for c in table.columns]
        assert {(i.columns, i.unique) for i in facts.indexes.values()} == {
            (i.columns, i.unique) for i in table.indexes
        }
        guarded = table.mutability != "mutable" and dialect == "sqlite"
        assert len(facts.triggers) == (3 if guarded else 0)


MUTATIONS = [
    ("column", "action_contracts", '    "tier" {text},\n', ""),
    ("column", "action_contracts", '"tier" {text}', '"tier" {text}, "more" {text}'),
    ("type", "action_contracts", '"run_id" {integer}', '"run_id" {text}'),
    ("not_null", "audit_logs", '"hash" {text} not null', '"hash" {text}'),
    ("not_null", "audit_logs", '"previous_hash" {text}', '"previous_hash" {text} not null'),
    ("default", "action_contracts", " default 'pending'", ""),
    ("default", "action_contracts", " default FALSE", " default TRUE"),
    ("primary_key", "audit_logs", ',\n    primary key ("entry_id")', ""),
    ("unique", "immutable_log", '"sequence" {integer} not null unique', '"sequence" {integer} not null'),
    ("unique", "audit_logs", '"category" {text} not null', '"category" {text} not null unique'),
    ("foreign_key", "processing_metrics", ' references "sources" ("source_id"){cascade}', ""),
    ("check", "sources", " check (\"pii_policy\" in ('block', 'mask', 'hash', 'allow_with_consent'))", ""),
]  # fmt: skip


@EACH_DIALECT
@pytest.mark.parametrize("case", MUTATIONS, ids=lambda case: f"{case[0]} of {case[1]}")
def test_each_kind_of_difference_is_drift(
    dialect: str, case: tuple[str, str, str, str], ddl_plan: dict[str, Plan],
    run_init: Callable[..., InitReport], tmp_path: Path,
) -> None:  # fmt: skip
    kind, name, old, new = case
    words = {
        "sqlite": {"text": "TEXT", "integer": "INTEGER", "cascade": " on delete cascade"},
        "duckdb": {"text": "VARCHAR", "integer": "BIGINT", "cascade": ""},
    }[dialect]
    path = tmp_path / f"mutated.{dialect}"
    plan = ddl_plan[dialect]
    [original] = [s["sql"] for s in plan if s["kind"] == "table" and s["name"] == name]
    mutated = original.replace(old.format(**words), new.format(**words))
    assert mutated != original
    parents = [s["sql"] for s in plan if s["kind"] == "table" and s["name"] == "sources"]
    run_statements(path, dialect, *(parents if name != "sources" else []), mutated)
    report = run_init(path, dialect, dry_run=True)
    assert report.adopted == (name,)
    structural = [d for d in report.drift if d.kind not in ("index", "trigger", "table")]
    assert {(d.table, d.kind) for d in structural} == {(name, kind)}


def test_a_missing_action_is_drift(
    ddl_plan: dict[str, Plan], run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "action.sqlite"
    [sql] = [s["sql"] for s in ddl_plan["sqlite"] if s["name"] == "processing_metrics"]
    run_statements(path, "sqlite", sql.replace(" on delete cascade", ""))
    [drift] = [d for d in run_init(path).drift if d.kind == "foreign_key"]
    assert drift.expected == "references sources (source_id) on delete cascade"
    assert drift.found == "references sources (source_id)"


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


@EACH_DIALECT
@pytest.mark.parametrize("content", [b"not a database\n" * 999, b"x"], ids=["long", "short"])
def test_a_file_that_is_no_database(
    dialect: str, content: bytes, grace_main: Main, tmp_path: Path
) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), "damaged", "nothing was changed")
    assert path.read_bytes() == content


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_damaged_database(
    dialect: str, grace_main: Main, templates: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"damaged.{dialect}"
    content = bytearray((templates / f"fresh.{dialect}").read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), "damaged")
    assert path.read_bytes() == bytes(content)


@EACH_DIALECT
def test_a_database_of_the_other_engine(
    dialect: str, grace_main: Main, templates: Path, tmp_path: Path
) -> None:
    other = "duckdb" if dialect == "sqlite" else "sqlite"
    path = Path(shutil.copy(templates / f"fresh.{other}", tmp_path / "other"))
    before = digest(path)
    fails(grace_main("init", "--db", f"{dialect}:///{path}"), f"{other}:///{path}")
    assert digest(path) == before


@EACH_DIALECT
def test_places_where_no_file_can_be(dialect: str, grace_main: Main, tmp_path: Path) -> None:
    fails(grace_main("init", "--db", f"{dialect}:///{tmp_path}"), "is a directory")
    missing = tmp_path / "missing" / "grace.db"
    for options in ((), ("--dry-run",)):
        done = grace_main("init", "--db", f"{dialect}:///{missing}", *options)
        fails(done, "no directory", str(missing.parent))
    assert not missing.parent.exists()
    (tmp_path / "file").write_text("")
    fails(grace_main("init", "--db", f"{dialect}:///{tmp_path}/file/grace.db"), "can't be reached")


def test_an_empty_sqlite_file_is_an_empty_database(
    run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "empty.sqlite"
    path.touch()
    assert len(run_init(path).steps) == sum(COUNTS["sqlite"].values())


@EACH_DIALECT
def test_a_read_only_file(
    dialect: str, grace_cli: GraceCli, ddl_plan: dict[str, Plan], templates: Path, tmp_path: Path
) -> None:
    complete = Path(shutil.copy(templates / f"fresh.{dialect}", tmp_path / f"complete.{dialect}"))
    half = tmp_path / f"half.{dialect}"
    run_statements(half, dialect, ddl_plan[dialect][0]["sql"])
    for path in (complete, half):
        path.chmod(0o444)
    # Nothing to do is nothing to write.
    done = grace_cli.run("init", "--db", f"{dialect}:///{complete}", rights=False)
    assert done.returncode == 0, done.stderr
    before = digest(half)
    fails(grace_cli.run("init", "--db", f"{dialect}:///{half}", rights=False), "can't be written")
    assert digest(half) == before


@EACH_DIALECT
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


@EACH_DIALECT
def test_a_full_disk(
    dialect: str, grace_cli: GraceCli, templates: Path, run_init: Callable[..., InitReport],
    tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / f"full.{dialect}"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = grace_cli.run("init", "--db", f"{dialect}:///{path}", limits=small)
    fails(done, "could not be written")
    run_init(path, dialect)
    assert catalogue(path, dialect) == template(templates, dialect)


@EACH_DIALECT
def test_a_locked_database(
    dialect: str,
    run_init: Callable[..., InitReport],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"locked.{dialect}"
    run_statements(path, dialect, "create table other (a integer)")
    monkeypatch.setattr(backend, "WAIT_SECONDS", 0.3)
    hold = (
        "import sqlite3; c = sqlite3.connect(sys.argv[1]); c.execute('begin immediate')"
        if dialect == "sqlite"
        else "import duckdb; c = duckdb.connect(sys.argv[1])"
    )
    code = f"import sys; {hold}; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(GraceError, match="Another process has") as locked:
            run_init(path, dialect)
        holder.communicate()
    assert locked.value.exit_code == ExitCode.ENVIRONMENT
    assert len(run_init(path, dialect).steps) == sum(COUNTS[dialect].values())


def test_a_statement_that_fails_undoes_all(
    run_init: Callable[..., InitReport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from grace_dbt.operational.sqlite import SQLiteBackend

    path = tmp_path / "undone.sqlite"
    run_statements(path, "sqlite", "create table other (a integer)")
    before = catalogue(path, "sqlite")
    execute, place = SQLiteBackend.execute, str(path)

    def fail_late(self: SQLiteBackend, sql: str) -> None:
        broken = self._place == place and "ix_audit_logs__category" in sql
        execute(self, "create nonsense" if broken else sql)

    monkeypatch.setattr(SQLiteBackend, "execute", fail_late)
    with pytest.raises(GraceError, match="refuses a statement") as refused:
        run_init(path)
    assert refused.value.exit_code == ExitCode.ENVIRONMENT
    assert catalogue(path, "sqlite") == before


def test_a_wal_database_is_adopted_while_a_reader_reads(
    run_init: Callable[..., InitReport], tmp_path: Path
) -> None:
    path = tmp_path / "wal.sqlite"
    run_statements(path, "sqlite", "pragma journal_mode = wal", "create table other (a integer)")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from other").fetchall()
        assert len(run_init(path).steps) == sum(COUNTS["sqlite"].values())


def test_rows_survive(fresh_sqlite: Path, run_init: Callable[..., InitReport]) -> None:
    with closing(sqlite3.connect(fresh_sqlite, isolation_level=None)) as lite:
        lite.execute("pragma foreign_keys = on")
        maker = RowMaker(lite, TABLES)
        for table in TABLES.values():
            maker.insert_valid(table)
        before = list(lite.iterdump())
    run_init(fresh_sqlite, enforce=True)
    with closing(sqlite3.connect(fresh_sqlite)) as lite:
        assert list(lite.iterdump()) == before
