"""Every table takes a valid row, and refuses one for each rule that its engine enforces."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from conftest import DIALECTS, Plan
from row_values import Row, RowMaker

from grace_dbt.declaration import Table, load_declaration

TABLES = load_declaration()
EACH_TABLE = pytest.mark.parametrize("name", sorted(TABLES))
BOTH = pytest.mark.parametrize("makers", DIALECTS, indirect=True)
SQLITE = pytest.mark.parametrize("makers", ["sqlite"], indirect=True)
GUARDED = sorted(name for name, table in TABLES.items() if table.mutability != "mutable")

Error = (sqlite3.Error, duckdb.Error)
# Where a trigger speaks before the key does, its message counts.
REFUSALS = {
    "not_null": r"NOT NULL constraint failed",
    "key": r"UNIQUE constraint failed|Duplicate key|is never replaced",
    "foreign_key": r"FOREIGN KEY constraint failed|Violates foreign key constraint",
    "check": r"CHECK constraint failed",
}


@pytest.fixture(scope="module")
def databases(ddl_plan: dict[str, Plan]) -> Iterator[dict[str, Any]]:
    """The whole schema in memory, once for each engine."""
    lite = sqlite3.connect(":memory:", isolation_level=None)
    lite.execute("pragma foreign_keys = on")
    duck = duckdb.connect(":memory:")
    opened: dict[str, Any] = {"sqlite": lite, "duckdb": duck}
    for dialect, database in opened.items():
        for step in ddl_plan[dialect]:
            database.execute(step["sql"])
    yield opened
    for database in opened.values():
        database.close()


@pytest.fixture(scope="module")
def row_makers(databases: dict[str, Any]) -> dict[str, RowMaker]:
    return {dialect: RowMaker(database, TABLES) for dialect, database in databases.items()}


@pytest.fixture
def makers(request: pytest.FixtureRequest, row_makers: dict[str, RowMaker]) -> RowMaker:
    return row_makers[request.param]


def bad_rows(table: Table, maker: RowMaker) -> Iterator[tuple[str, str, Row]]:
    """For each rule of a table a row that breaks this one only: rule, column, row."""
    integer_key = [c.name for c in table.columns if c.primary_key and c.data_type == "integer"]
    on_sqlite = isinstance(maker.connection, sqlite3.Connection)
    for column in table.columns:
        # SQLite gives an integer key a value instead of refusing NULL: an automatic key.
        if column.not_null and not (on_sqlite and [column.name] == integer_key):
            yield "not_null", column.name, maker.valid_row(table) | {column.name: None}
        if column.references:
            missing = -1 if column.data_type == "integer" else "nobody"
            yield "foreign_key", column.name, maker.valid_row(table) | {column.name: missing}
        for check in column.checks:
            outside = 2.5 if "between" in check else "nonsense"
            yield "check", column.name, maker.valid_row(table) | {column.name: outside}
    for key in table.unique_keys:
        first, second = maker.insert_valid(table), maker.valid_row(table)
        yield "key", ", ".join(key), second | {name: first[name] for name in key}


@BOTH
@EACH_TABLE
def test_a_valid_row_is_taken(name: str, makers: RowMaker) -> None:
    row = makers.insert_valid(TABLES[name])
    key = TABLES[name].primary_key
    where = " and ".join(f'"{part}" = ?' for part in key)
    found = makers.connection.execute(
        f'select count(*) from "{name}" where {where}', [row[part] for part in key]
    ).fetchone()
    assert found == (1,)


@BOTH
@EACH_TABLE
def test_a_row_that_breaks_one_rule_is_refused(name: str, makers: RowMaker) -> None:
    tried = Counter[str]()
    for rule, columns, row in bad_rows(TABLES[name], makers):
        with pytest.raises(Error) as refusal:
            makers.insert(TABLES[name], row)
        assert re.search(REFUSALS[rule], str(refusal.value)), (rule, columns)
        tried[rule] += 1
    assert tried["key"] == len(TABLES[name].unique_keys)


@BOTH
def test_no_rule_is_forgotten(makers: RowMaker) -> None:
    tried = Counter(rule for table in TABLES.values() for rule, _, _ in bad_rows(table, makers))
    on_sqlite = isinstance(makers.connection, sqlite3.Connection)
    columns = [column for table in TABLES.values() for column in table.columns]
    automatic = sum(column.primary_key and column.data_type == "integer" for column in columns)
    assert tried == {
        "not_null": sum(column.not_null for column in columns) - (automatic if on_sqlite else 0),
        "foreign_key": sum(column.references is not None for column in columns),
        "check": sum(len(column.checks) for column in columns),
        "key": sum(len(table.unique_keys) for table in TABLES.values()),
    }
    assert min(tried.values()) > 10


@pytest.mark.parametrize("name", GUARDED)
@SQLITE
def test_append_only_and_immutable_rows_stay(name: str, makers: RowMaker) -> None:
    table, database = TABLES[name], makers.connection
    row = makers.insert_valid(table)
    before = database.execute(f'select * from "{name}"').fetchall()
    key = table.primary_key[0]
    rule = f"{name} is {'append-only' if table.mutability == 'append_only' else 'immutable'}"
    other = makers.valid_row(table)
    [(rowid,)] = database.execute(f'select rowid from "{name}" where "{key}" = ?', [row[key]])
    any_column = table.columns[-1].name
    attempts = {
        "update": (f'update "{name}" set "{any_column}" = "{any_column}" where "{key}" = ?', [row[key]]),
        "update or replace": (f'update or replace "{name}" set "{key}" = "{key}"', []),
        "delete": (f'delete from "{name}" where "{key}" = ?', [row[key]]),
        "delete all": (f'delete from "{name}"', []),
        "upsert": insertion(table, row, f' on conflict ("{key}") do update set "{key}" = "{key}"'),
        "replace into": insertion(table, row, verb="replace"),
        "or ignore": insertion(table, row, verb="insert or ignore"),
        "by rowid": insertion(
            table, other | ({} if key_is_rowid(table) else {"rowid": rowid}) | keyed(table, row),
            verb="insert or replace",
        ),
    }  # fmt: skip
    for unique in table.unique_keys:
        same = other | {part: row[part] for part in unique}
        attempts[f"replace by {unique}"] = insertion(table, same, verb="insert or replace")
    for what, (sql, values) in attempts.items():
        with pytest.raises(sqlite3.IntegrityError, match=rule):
            database.execute(sql, values)
        assert database.execute(f'select * from "{name}"').fetchall() == before, what


def key_is_rowid(table: Table) -> bool:
    return [c.data_type for c in table.columns if c.primary_key] == ["integer"]


def keyed(table: Table, row: Row) -> Row:
    """A key that collides only after conversion: text where the column holds a number."""
    return {table.primary_key[0]: str(row[table.primary_key[0]])} if key_is_rowid(table) else {}


def insertion(
    table: Table, row: Row, suffix: str = "", verb: str = "insert"
) -> tuple[str, list[Any]]:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    return f'{verb} into "{table.name}" ({names}) values ({marks}){suffix}', list(row.values())


def references(action: str) -> list[Any]:
    return [
        pytest.param(table.name, column.name, id=f"{table.name}.{column.name}")
        for table in TABLES.values()
        for column in table.columns
        if column.references and column.references.action == action
    ]


def delete_parent(name: str, column: str, maker: RowMaker) -> tuple[Row, str, Any]:
    """Insert a child; return it with the statement that deletes its parent, and the value for it."""
    row = maker.insert_valid(TABLES[name])
    target = TABLES[name].column(column).references
    assert target is not None
    sql = f'delete from "{target.table}" where "{target.column}" = ?'
    return row, sql, row[column]


def remaining(name: str, row: Row, maker: RowMaker) -> list[Any]:
    key = TABLES[name].primary_key[0]
    sql = f'select * from "{name}" where "{key}" = ?'
    return list(maker.connection.execute(sql, [row[key]]).fetchall())


@pytest.mark.parametrize(("name", "column"), references("on delete cascade"))
@SQLITE
def test_a_cascade_takes_mutable_children_and_no_others(
    name: str, column: str, makers: RowMaker
) -> None:
    row, sql, value = delete_parent(name, column, makers)
    target = TABLES[name].column(column).references
    assert target is not None
    guarded = [table for table in (target.table, name) if table in GUARDED]
    if not guarded:
        makers.connection.execute(sql, [value])
        assert not remaining(name, row, makers)
        return
    with pytest.raises(sqlite3.IntegrityError, match=f"{guarded[0]} is append-only"):
        makers.connection.execute(sql, [value])
    assert remaining(name, row, makers)


@SQLITE
def test_replacing_a_parent_cascades_into_no_append_only_child(makers: RowMaker) -> None:
    event = makers.insert_valid(TABLES["bronze_raw_events"])
    [(name, *values)] = makers.connection.execute(
        "select source_id, * from sources where source_id = ?", [event["source_id"]]
    )
    parent = dict(zip([c.name for c in TABLES["sources"].columns], values, strict=True))
    with pytest.raises(sqlite3.IntegrityError, match="bronze_raw_events is append-only"):
        makers.insert(TABLES["sources"], parent, "insert or replace")
    assert remaining("bronze_raw_events", event, makers)
    assert name == event["source_id"]


@pytest.mark.parametrize(("name", "column"), references("on delete set null"))
@SQLITE
def test_a_deleted_parent_is_forgotten(name: str, column: str, makers: RowMaker) -> None:
    row, sql, value = delete_parent(name, column, makers)
    makers.connection.execute(sql, [value])
    [left] = remaining(name, row, makers)
    position = [c.name for c in TABLES[name].columns].index(column)
    assert left[position] is None


@pytest.mark.parametrize(("name", "column"), references(""))
@BOTH
def test_a_parent_with_children_stays(name: str, column: str, makers: RowMaker) -> None:
    row, sql, value = delete_parent(name, column, makers)
    with pytest.raises(Error, match=REFUSALS["foreign_key"]):
        makers.connection.execute(sql, [value])
    assert remaining(name, row, makers)
