"""The catalogue of every created database against the reference facts.

Nothing of the package is imported: databases come from the command line, facts from pragmas and DuckDB's own
functions, expectations from the CSV files and, for what these don't know, from the plain YAML.
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
from conftest import DIALECTS, GraceCli

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
    return re.sub(r'[\s"()]', "", condition).lower()


def reference_rows(file: str) -> list[dict[str, str]]:
    with (REFERENCE / file).open(newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def expected_shapes(dialect: str) -> Shapes:
    """The 95 tables of the reference, with the checks and triggers of the YAML."""
    shapes: Shapes = defaultdict(TableShape)
    for row in reference_rows("operational_columns.csv"):
        shape, name = shapes[row["table"]], row["column"]
        kind = TYPES[dialect][row["type"]]
        shape.columns.append((name, kind, row["not_null"] == "yes", row["default"]))
        if row["key"] == "primary":
            shape.primary_key.append(name)
        if row["key"] == "unique":
            shape.unique.add(name)
        if row["references"]:
            target, _, action = row["references"].partition(" ")
            parent, column = target.split(".")
            # DuckDB's parser refuses an action; docs/adapters.md says what that means.
            shape.references.add((name, parent, column, action if dialect == "sqlite" else ""))
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
    for column in table["columns"]:
        for constraint in column.get("constraints", []):
            if constraint["type"] == "check":
                shape.checks.add(
                    plain(constraint["expression"].replace("{column}", column["name"]))
                )
            if constraint["type"] == "foreign_key" and not leads_an_index(shape, column["name"]):
                # Not in the reference: without it, each delete of a parent scans the child.
                shape.indexes.add(((column["name"],), False))
    if table["config"]["meta"]["mutability"] != "mutable" and dialect == "sqlite":
        verbs = ("updated", "deleted", "replaced")
        shape.triggers |= {f"{table['name']}__never_{verb}" for verb in verbs}


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


REFLECT = {"sqlite": sqlite_shapes, "duckdb": duckdb_shapes}


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


def run_script(script: str, dialect: str, path: Path) -> None:
    """Run a script as an operator would: in the shell of SQLite, through DuckDB's own client."""
    if dialect == "duckdb":
        with duckdb.connect(path) as database:
            database.execute(script)
    elif shutil.which("sqlite3"):
        shell = ["sqlite3", "-bail", str(path)]
        done = subprocess.run(shell, input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    else:
        lite = sqlite3.connect(path)
        lite.executescript(script)
        lite.close()


@pytest.fixture(scope="session")
def scripts(planned_home: Path) -> dict[str, str]:
    cli = GraceCli(planned_home)
    return {dialect: cli.run("ddl", "--dialect", dialect).stdout for dialect in DIALECTS}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("maker", ["init", "ddl"])
def test_created_database_is_the_reference(
    dialect: str, maker: str, grace_cli: GraceCli, scripts: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"grace.{dialect}"
    if maker == "init":
        done = grace_cli.run("init", "--db", f"{dialect}:///{path}")
        assert done.returncode == 0, done.stderr
    else:
        run_script(scripts[dialect], dialect, path)
    found, expected = REFLECT[dialect](path), expected_shapes(dialect)
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
    dialect: str, table: str, edit: Edit, scripts: dict[str, str], tmp_path: Path
) -> None:
    """One object of the script is changed; the comparison names its table, and no other."""
    part = re.compile(rf'create [^;]*"{table}"[^;]*(?:;\nend)?;')
    if table == "message_dedupe":
        script = scripts[dialect].replace(*edit)
    else:
        change = once(re.compile(edit[0]), edit[1])
        script = part.sub(lambda found: change(found.group()), scripts[dialect])
    assert script != scripts[dialect]
    path = tmp_path / "mutated"
    run_script(script, dialect, path)
    found = differences(REFLECT[dialect](path), expected_shapes(dialect))
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
