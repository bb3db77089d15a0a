"""The catalogue of every created database against the reference facts.

Nothing of the package is imported: databases come from the command line, facts from the engine's own pragmas, functions
and catalogue tables, expectations from the CSV files and, for what these don't know, from the plain YAML.
"""

from __future__ import annotations

import csv
import re
import shutil
import sqlite3
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ENGINES, GraceCli
from places import Place

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "fixtures" / "reference"
PLANNED_TABLES = {"shard_heartbeats"}
# Beyond the reference: the health checks of the schema documentation search by these columns.
HEALTH_CHECK_INDEXES = {
    "orchestration_tasks": ("status", "started_at"),
    "processing_metrics": ("timestamp", "source_id"),
}
TYPES = {
    "sqlite": {
        "text": "TEXT",
        "integer": "INTEGER",
        "real": "REAL",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "json": "TEXT",
        "blob": "BLOB",
    },
    "duckdb": {
        "text": "VARCHAR",
        "integer": "BIGINT",
        "real": "DOUBLE",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "json": "JSON",
        "blob": "BLOB",
    },
    "postgres": {
        "text": "text",
        "integer": "bigint",
        "real": "double precision",
        "boolean": "boolean",
        "timestamp": "timestamp with time zone",
        "json": "jsonb",
        "blob": "bytea",
    },
    "mariadb": {
        "text": "longtext",
        "integer": "bigint(20)",
        "real": "double",
        "boolean": "tinyint(1)",
        "timestamp": "datetime(6)",
        "json": "longtext",
        "blob": "longblob",
    },
}
# The JSON that a hash covers keeps its bytes.
HASHED_JSON = {"sqlite": "TEXT", "duckdb": "JSON", "postgres": "json", "mariadb": "longtext"}
GUARDS = {
    "sqlite": ("updated", "deleted", "replaced"),
    "duckdb": (),
    "postgres": ("updated", "deleted", "truncated"),
    "mariadb": ("updated", "deleted", "truncated"),
}

DUCKDB_BOOLEANS = {"CAST('f' AS BOOLEAN)": "FALSE", "CAST('t' AS BOOLEAN)": "TRUE"}


@dataclass
class TableShape:
    """What is compared of one table; the order of columns counts."""

    columns: list[tuple[str, str, bool, str]] = field(default_factory=list)
    primary_key: list[str] = field(default_factory=list)
    unique: set[str] = field(default_factory=set)
    references: set[tuple[str, str, str, str]] = field(default_factory=set)
    indexes: set[tuple[tuple[str, ...], bool]] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)


Shapes = dict[str, TableShape]


def plain(condition: str) -> str:
    """A condition without the blanks, quotes and brackets that engines add or drop."""
    return re.sub(r'[\s"`()\[\]]', "", condition).lower()


def reference_rows(file: str) -> list[dict[str, str]]:
    with (REFERENCE / file).open(newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def expected_shapes(dialect: str) -> Shapes:
    """The 95 tables of the reference, with the checks and triggers of the YAML."""
    shapes: Shapes = defaultdict(TableShape)
    for row in reference_rows("operational_columns.csv"):
        shape, name = shapes[row["table"]], row["column"]
        kind, default = TYPES[dialect][row["type"]], row["default"]
        if dialect == "mariadb" and row["type"] == "real" and default:
            default = f"{float(default):g}"  # it keeps the number, not its digits
        shape.columns.append((name, kind, row["not_null"] == "yes", default))
        if row["key"] == "primary":
            shape.primary_key.append(name)
        if row["key"] == "unique":
            shape.unique.add(name)
        if row["references"]:
            target, _, action = row["references"].partition(" ")
            parent, column = target.split(".")
            # DuckDB's parser refuses an action; docs/adapters.md says what that means.
            shape.references.add((name, parent, column, action if dialect != "duckdb" else ""))
    for row in reference_rows("operational_indexes.csv"):
        columns = tuple(row["columns"].split())
        shapes[row["table"]].indexes.add((columns, row["unique"] == "yes"))
    for name, columns in HEALTH_CHECK_INDEXES.items():
        shapes[name].indexes.add((columns, False))
    for path in (ROOT / "models" / "operational").glob("*/_*__sources.yml"):
        for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]:
            if table["name"] in PLANNED_TABLES:
                continue
            add_yaml_facts(shapes[table["name"]], table, dialect)
    return dict(shapes)


def add_yaml_facts(shape: TableShape, table: dict[str, Any], dialect: str) -> None:
    immutable = table["config"]["meta"]["mutability"] != "mutable"
    for place, column in enumerate(table["columns"]):
        hashed = column.get("config", {}).get("meta", {}).get("hash_input", False)
        if column["data_type"] == "json" and hashed:
            name, _, strict, default = shape.columns[place]
            shape.columns[place] = (name, HASHED_JSON[dialect], strict, default)
        elif column["data_type"] == "json" and dialect == "mariadb":
            # Its JSON is a text with a check that MariaDB adds.
            shape.checks.add(plain(f"json_valid({column['name']})"))
        for constraint in column.get("constraints", []):
            if constraint["type"] == "check":
                shape.checks.add(check_words(constraint["expression"], column["name"], dialect))
            if constraint["type"] == "foreign_key" and not leads_an_index(shape, column["name"]):
                # Not in the reference: without it, each delete of a parent scans the child.
                shape.indexes.add(((column["name"],), False))
    if immutable:
        shape.triggers |= {f"{table['name']}__never_{verb}" for verb in GUARDS[dialect]}
    if immutable and dialect == "mariadb":
        # A cascade fires no trigger there.
        shape.references = {(*key[:3], "") for key in shape.references}
    if dialect == "mariadb":
        keys = {*shape.primary_key, *shape.unique, *(key[0] for key in shape.references)}
        keys |= {name for columns, _ in shape.indexes for name in columns}
        shape.columns = [
            (name, "varchar(255)" if kind == "longtext" and name in keys else kind, strict, default)
            for name, kind, strict, default in shape.columns
        ]


def check_words(expression: str, column: str, dialect: str) -> str:
    """A condition in the words in which an engine keeps it."""
    words = expression.replace("{column}", column)
    if dialect == "postgres":
        words = re.sub(r"(\w+) between (\S+) and (\S+)", r"\1 >= \2 and \1 <= \3", words)
        words = re.sub(r" in \((.*)\)", r" = any (array[\1])", words)
    return plain(words)


def leads_an_index(shape: TableShape, column: str) -> bool:
    keys = [tuple(shape.primary_key), *((name,) for name in shape.unique)]
    return column in {columns[0] for columns in keys + [over for over, _ in shape.indexes]}


def sqlite_shapes(path: Path) -> Shapes:
    """What SQLite says of a file."""
    shapes: Shapes = {}
    with sqlite3.connect(path) as database:
        for name, sql in database.execute(
            "select name, sql from sqlite_master where type = 'table'"
        ):
            shapes[name] = shape = TableShape()
            for _, column, kind, not_null, default, key in database.execute(
                f"pragma table_info({name})"
            ):
                shape.columns.append((column, kind, bool(not_null), default or ""))
                if key:
                    shape.primary_key.append(column)
            for key in database.execute(f"pragma foreign_key_list({name})"):
                action = key[6].lower()
                action = "" if action == "no action" else f"on delete {action}"
                shape.references.add((key[3], key[2], key[4], action))
            for _, index, unique, origin, _ in database.execute(f"pragma index_list({name})"):
                columns = tuple(row[2] for row in database.execute(f"pragma index_info({index})"))
                if origin == "u":
                    shape.unique.add(" ".join(columns))
                elif origin == "c":
                    shape.indexes.add((columns, bool(unique)))
            shape.checks |= {
                plain(check) for check in re.findall(r"check \((.*)\)(?: references .*)?,?\n", sql)
            }
        for name, table in database.execute(
            "select name, tbl_name from sqlite_master where type = 'trigger'"
        ):
            shapes[table].triggers.add(name)
    database.close()
    return shapes


def duckdb_shapes(path: Path) -> Shapes:
    """What DuckDB says of a file."""
    shapes: Shapes = defaultdict(TableShape)
    with duckdb.connect(path, read_only=True) as database:
        for table, column, kind, nullable, default in database.execute(
            "select table_name, column_name, data_type, is_nullable, column_default"
            " from duckdb_columns() where not internal order by column_index"
        ).fetchall():
            words = DUCKDB_BOOLEANS.get(default, default or "")
            shapes[table].columns.append((column, kind, not nullable, words))
        for table, kind, columns, parent, targets, expression in database.execute(
            "select table_name, constraint_type, constraint_column_names, referenced_table,"
            " referenced_column_names, expression from duckdb_constraints()"
        ).fetchall():
            if kind == "PRIMARY KEY":
                shapes[table].primary_key += columns
            elif kind == "UNIQUE":
                shapes[table].unique.add(" ".join(columns))
            elif kind == "FOREIGN KEY":
                shapes[table].references.add((columns[0], parent, targets[0], ""))
            elif kind == "CHECK":
                shapes[table].checks.add(plain(expression))
        for table, unique, expressions in database.execute(
            "select table_name, is_unique, expressions from duckdb_indexes()"
        ).fetchall():
            columns = tuple(re.findall(r"\w+", expressions))
            shapes[table].indexes.add((columns, unique))
    return dict(shapes)


def postgres_shapes(place: Place) -> Shapes:
    """What PostgreSQL says of the schema `public`."""
    shapes: Shapes = defaultdict(TableShape)
    for table, column, kind, nullable, default in place.run(
        "select table_name, column_name, data_type, is_nullable, column_default"
        " from information_schema.columns where table_schema = 'public' order by ordinal_position"
    ):
        words = uncast(default or "")
        words = words.upper() if kind == "boolean" else words
        shapes[table].columns.append((column, kind, nullable == "NO", words))
    for table, kind, words in place.run(
        "select conrelid::regclass::text, contype, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace"
    ):
        names = re.findall(r"\w+", words.partition("(")[2].partition(")")[0])
        if kind == "p":
            shapes[table].primary_key += names
        elif kind == "u":
            shapes[table].unique.add(" ".join(names))
        elif kind == "f":
            parent, target, action = re.findall(r"REFERENCES (\w+)\((\w+)\) ?(.*)", words)[0]
            shapes[table].references.add((names[0], parent, target, action.lower()))
        elif kind == "c":
            shapes[table].checks.add(plain(uncast(words.removeprefix("CHECK"))))
    for table, words in place.run(
        "select tablename, indexdef from pg_indexes where schemaname = 'public' and indexname not in"
        " (select conname from pg_constraint where contype in ('p', 'u'))"
    ):
        columns = tuple(re.findall(r"\w+", words.rpartition("(")[2]))
        shapes[table].indexes.add((columns, words.startswith("CREATE UNIQUE")))
    for table, name in place.run(
        "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"
    ):
        shapes[table].triggers.add(name)
    return dict(shapes)


def uncast(words: str) -> str:
    return re.sub(r"::(text|double precision)", "", words)


def mariadb_shapes(place: Place) -> Shapes:
    """What MariaDB says of a database."""
    shapes: Shapes = defaultdict(TableShape)
    here = "table_schema = database()"
    for table, column, kind, nullable, default in place.run(
        "select table_name, column_name, column_type, is_nullable, column_default"
        f" from information_schema.columns where {here} order by ordinal_position"
    ):
        words = "" if default in (None, "NULL") else mariadb_default(default, kind)
        shapes[table].columns.append((column, kind, nullable == "NO", words))
    for table, name, distinct, *columns in place.run(
        "select table_name, index_name, max(non_unique) = 0,"
        " group_concat(column_name order by seq_in_index separator ' ')"
        f" from information_schema.statistics where {here} group by table_name, index_name"
    ):
        names = columns[0].split()
        if name == "PRIMARY":
            shapes[table].primary_key += names
        elif distinct and not name.startswith("ux_"):
            shapes[table].unique.add(" ".join(names))
        else:
            shapes[table].indexes.add((tuple(names), bool(distinct)))
    for table, column, parent, target, action in place.run(
        "select k.table_name, k.column_name, k.referenced_table_name, k.referenced_column_name,"
        " r.delete_rule from information_schema.key_column_usage as k"
        " join information_schema.referential_constraints as r"
        " on r.constraint_schema = k.table_schema and r.constraint_name = k.constraint_name"
        " and r.table_name = k.table_name where k.table_schema = database()"
    ):
        words = "" if action in ("RESTRICT", "NO ACTION") else f"on delete {action.lower()}"
        shapes[table].references.add((column, parent, target, words))
    for table, words in place.run(
        "select table_name, check_clause from information_schema.check_constraints"
        " where constraint_schema = database()"
    ):
        shapes[table].checks.add(plain(words))
    for table, name in place.run(
        "select event_object_table, trigger_name from information_schema.triggers"
        " where trigger_schema = database()"
    ):
        shapes[table].triggers.add(name)
    # TRUNCATE is refused for a table that another one refers to.
    for name in [name for name in shapes if name.endswith("__never_truncated")]:
        [(_, parent, _, _)] = shapes.pop(name).references
        shapes[parent].triggers.add(name)
    return dict(shapes)


def mariadb_default(default: str, kind: str) -> str:
    if kind == "tinyint(1)":
        return {"0": "FALSE", "1": "TRUE"}.get(default, default.upper())
    return "CURRENT_TIMESTAMP" if default == "utc_timestamp(6)" else default


def reflected(place: Place) -> Shapes:
    if place.dialect == "postgres":
        return postgres_shapes(place)
    if place.dialect == "mariadb":
        return mariadb_shapes(place)
    assert place.path
    return (sqlite_shapes if place.dialect == "sqlite" else duckdb_shapes)(place.path)


def differences(found: Shapes, expected: Shapes) -> dict[str, list[str]]:
    """What differs, by table."""
    result: dict[str, list[str]] = {
        name: ["missing table" if name in expected else "extra table"]
        for name in (expected.keys() ^ found.keys()) - PLANNED_TABLES
    }
    for name in expected.keys() & found.keys():
        unlike = [
            part
            for part in TableShape.__dataclass_fields__
            if getattr(expected[name], part) != getattr(found[name], part)
        ]
        if unlike:
            result[name] = unlike
    return result


def run_script(script: str, place: Place) -> None:
    """Run a script as an operator would: in the shell of SQLite, elsewhere through a client."""
    if place.dialect != "sqlite" or not shutil.which("sqlite3"):
        place.run_script(script)
        return
    shell = ["sqlite3", "-bail", str(place.path)]
    done = subprocess.run(shell, input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="session")
def scripts(planned_home: Path) -> dict[str, str]:
    cli = GraceCli(planned_home)
    return {dialect: cli.run("ddl", "--dialect", dialect).stdout for dialect in ENGINES}


@pytest.mark.parametrize("dialect", ENGINES)
@pytest.mark.parametrize("maker", ["init", "ddl"])
def test_created_database_is_the_reference(
    dialect: str, maker: str, grace_cli: GraceCli, scripts: dict[str, str],
    new_place: Callable[[str], Place],
) -> None:  # fmt: skip
    place = new_place(dialect)
    if maker == "init":
        done = grace_cli.run("init", "--db", place.url)
        assert done.returncode == 0, done.stderr
    else:
        run_script(scripts[dialect], place)
    found, expected = reflected(place), expected_shapes(dialect)
    assert len(expected) == 95
    assert found.keys() - expected.keys() == PLANNED_TABLES
    assert differences(found, expected) == {}


def test_the_comparison_sees_everything_that_there_is() -> None:
    """An empty expectation would be met by anything: each kind of object is really compared, and often."""
    shapes = expected_shapes("sqlite").values()
    counts = Counter(
        {
            part: sum(len(getattr(shape, part)) for shape in shapes)
            for part in TableShape.__dataclass_fields__
        }
    )
    assert counts == {
        "columns": 960,
        "primary_key": 95,
        "unique": 16,
        "references": 43,
        "indexes": 128,
        "checks": 11,
        "triggers": 21,
    }


Edit = tuple[str, str]
BOTH: list[tuple[str, str, Edit]] = [
    ("table", "message_dedupe", ('"message_dedupe"', '"message_duplicates"')),
    ("column", "action_contracts", (r'    "confidence_score"[^\n]*\n', "")),
    ("type", "action_contracts", ('"run_id" (INTEGER|BIGINT)', '"run_id" BLOB')),
    ("not null", "audit_logs", ('("hash" \\w+) not null', r"\1")),
    ("nullable", "audit_logs", ('("previous_hash" \\w+)', r"\1 not null")),
    ("default", "action_contracts", (r" default 'pending'", "")),
    ("another default", "action_contracts", (r" default 'pending'", " default 'waiting'")),
    ("primary key", "audit_logs", (r',\n    primary key \("entry_id"\)', "")),
    ("unique", "immutable_log", ('("sequence" \\w+ not null) unique', r"\1")),
    ("foreign key", "silver_records", (r" references [^,\n]*", "")),
    ("check", "sources", (r" check \([^\n]*\)(?=,\n)", "")),
    ("index", "audit_logs", (r'create index if not exists "ix_audit_logs__category"[^;]*;', "")),
    ("unique index", "dataset_versions", ("create unique index", "create index")),
    (
        "order of columns",
        "audit_logs",
        (r'(    "entry_id"[^\n]*\n)(    "category"[^\n]*\n)', r"\2\1"),
    ),
]
SQLITE_ONLY: list[tuple[str, str, Edit]] = [
    ("on delete", "silver_records", (r" on delete cascade", "")),
    ("trigger", "immutable_log", (r"create trigger [^;]*updated[^;]*;\nend;", "")),
]
MUTATIONS = [
    pytest.param(dialect, table, edit, id=f"{dialect}: {what}")
    for dialect, cases in (("sqlite", BOTH + SQLITE_ONLY), ("duckdb", BOTH))
    for what, table, edit in cases
]


@pytest.mark.parametrize(("dialect", "table", "edit"), MUTATIONS)
def test_the_comparison_fails_for_each_kind_of_object(
    dialect: str, table: str, edit: Edit, scripts: dict[str, str], new_place: Callable[[str], Place]
) -> None:
    """One object of the script is changed; the comparison names its table, and no other."""
    part = re.compile(rf'create [^;]*"{table}"[^;]*(?:;\nend)?;')
    if table == "message_dedupe":
        script = scripts[dialect].replace(*edit)
    else:
        change = once(re.compile(edit[0]), edit[1])
        script = part.sub(lambda found: change(found.group()), scripts[dialect])
    assert script != scripts[dialect]
    place = new_place(dialect)
    run_script(script, place)
    found = differences(reflected(place), expected_shapes(dialect))
    assert table in found
    assert found.keys() <= {table, "message_duplicates"}


def once(pattern: re.Pattern[str], replacement: str) -> Callable[[str], str]:
    """Replace the first match over several texts."""
    left = [1]

    def change(text: str) -> str:
        changed, count = pattern.subn(replacement, text, count=left[0]) if left[0] else (text, 0)
        left[0] -= min(count, 1)
        return changed

    return change


# On a server one database takes all changes, each to a table of its own: (table, what has to differ, PostgreSQL's
# statement, MariaDB's where it has other words).
SERVER_CHANGES = [
    ("message_dedupe", "missing table", "rename to message_duplicates", ""),
    ("action_contracts", "columns", "drop column confidence_score", ""),
    ("benchmark_runs", "columns", "alter passed type text", "modify passed longtext not null"),
    ("audit_logs", "columns", "alter hash drop not null", "modify hash varchar(255)"),
    ("playbook_runs", "columns", "alter status set default 'x'", ""),
    ("rate_limits", "primary_key", "drop constraint rate_limits_pkey", "drop primary key"),
    ("immutable_log", "unique", "drop constraint immutable_log_sequence_key", "drop key sequence"),
    (
        "silver_records",
        "references",
        "drop constraint silver_records_source_id_fkey",
        "drop foreign key silver_records_ibfk_1",
    ),
    (
        "processing_metrics",
        "references",
        "drop constraint processing_metrics_source_id_fkey,"
        " add foreign key (source_id) references sources (source_id)",
        "drop foreign key processing_metrics_ibfk_1,"
        " add foreign key (source_id) references sources (source_id)",
    ),
    (
        "sources",
        "checks",
        "drop constraint sources_pii_policy_check",
        "modify pii_policy longtext not null default 'mask'",
    ),
]
OTHER_CHANGES = {
    "postgres": [
        ("dataset_versions", "indexes", "drop index ux_dataset_versions__dataset_id__version"),
        (
            "bronze_raw_events",
            "triggers",
            "drop trigger bronze_raw_events__never_updated on bronze_raw_events",
        ),
    ],
    "mariadb": [
        (
            "dataset_versions",
            "indexes",
            "alter table dataset_versions add key (dataset_id),"
            " drop key ux_dataset_versions__dataset_id__version",
        ),
        ("bronze_raw_events", "triggers", "drop trigger bronze_raw_events__never_updated"),
        ("governance_decisions", "triggers", "drop table governance_decisions__never_truncated"),
    ],
}


@pytest.mark.parametrize("dialect", OTHER_CHANGES)
def test_the_comparison_fails_for_each_kind_of_object_of_a_server(
    dialect: str, fresh_place: Callable[[str], Place]
) -> None:
    changes = list(OTHER_CHANGES[dialect])
    for table, part, words, mariadb_words in SERVER_CHANGES:
        own = mariadb_words if dialect == "mariadb" and mariadb_words else words
        changes.append((table, part, f"alter table {table} {own}"))
    place = fresh_place(dialect)
    place.run(*(statement for _, _, statement in changes))
    found = differences(reflected(place), expected_shapes(dialect))
    assert found.pop("message_duplicates") == ["extra table"]
    assert found == {table: [part] for table, part, _ in changes}
