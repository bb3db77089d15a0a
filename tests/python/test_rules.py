"""Every table takes a valid row, and refuses one for each rule that its engine enforces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from conftest import ENGINES, FILES, SERVERS, Plan
from places import Place
from raw_drivers import Error, RawDatabase
from row_values import Row, RowMaker, insertion

from grace_dbt.declaration import Table, load_declaration

TABLES = load_declaration()
EACH_TABLE = pytest.mark.parametrize("name", sorted(TABLES))
GUARDED = sorted(name for name, table in TABLES.items() if table.mutability != "mutable")


def on(*dialects: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("makers", dialects, indirect=True)


EVERYWHERE = on(*ENGINES)
CASCADING = on("sqlite", *SERVERS)

# Where a trigger speaks before the key does, its message counts.
REFUSALS = {
    "not_null": r"NOT NULL constraint failed|null value in column|cannot be null",
    "key": r"UNIQUE constraint failed|Duplicate key|is never replaced|duplicate key value|Duplicate entry",
    "foreign_key": r"(?i)FOREIGN KEY constraint fail|Violates foreign key constraint",
    "check": r"CHECK constraint failed|violates check constraint|^\(4025, 'CONSTRAINT",
}
# NULL as an integer key asks these for the next number; the others refuse it.
NUMBERS_NULL = ("sqlite", "mariadb")


@pytest.fixture(scope="module")
def row_maker(
    ddl_plan: dict[str, Plan], fresh_place: Callable[[str], Place]
) -> Iterator[Callable[[str], RowMaker]]:
    """By dialect, a maker on a database with the whole schema: in memory where that is possible."""
    with ExitStack() as opened:

        @cache
        def find(dialect: str) -> RowMaker:
            if dialect in FILES:
                database = RawDatabase.in_memory(dialect)
                for step in ddl_plan[dialect]:
                    database.execute(step["sql"])
            else:
                database = RawDatabase.open(fresh_place(dialect))
            opened.callback(database.close)
            if dialect == "sqlite":
                database.execute("pragma foreign_keys = on")
            return RowMaker(database, TABLES)

        yield find


@pytest.fixture
def makers(request: pytest.FixtureRequest, row_maker: Callable[[str], RowMaker]) -> RowMaker:
    return row_maker(request.param)


def bad_rows(table: Table, maker: RowMaker) -> Iterator[tuple[str, str, Row]]:
    """For each rule of a table a row that breaks this one only: rule, column, row."""
    integer_key = [c.name for c in table.columns if c.primary_key and c.data_type == "integer"]
    numbers_null = maker.connection.dialect in NUMBERS_NULL
    for column in table.columns:
        if column.not_null and not (numbers_null and [column.name] == integer_key):
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


@EVERYWHERE
@EACH_TABLE
def test_a_valid_row_is_taken(name: str, makers: RowMaker) -> None:
    row = makers.insert_valid(TABLES[name])
    key = TABLES[name].primary_key
    where = " and ".join(f'"{part}" = ?' for part in key)
    found = makers.connection.execute(
        f'select count(*) from "{name}" where {where}', [row[part] for part in key]
    )
    assert found == [(1,)]


@EVERYWHERE
@EACH_TABLE
def test_a_row_that_breaks_one_rule_is_refused(name: str, makers: RowMaker) -> None:
    tried = Counter[str]()
    for rule, columns, row in bad_rows(TABLES[name], makers):
        with pytest.raises(Error) as refusal:
            makers.insert(TABLES[name], row)
        assert re.search(REFUSALS[rule], str(refusal.value)), (rule, columns)
        tried[rule] += 1
    assert tried["key"] == len(TABLES[name].unique_keys)


@EVERYWHERE
def test_no_rule_is_forgotten(makers: RowMaker) -> None:
    tried = Counter(rule for table in TABLES.values() for rule, _, _ in bad_rows(table, makers))
    numbers_null = makers.connection.dialect in NUMBERS_NULL
    columns = [column for table in TABLES.values() for column in table.columns]
    automatic = sum(column.primary_key and column.data_type == "integer" for column in columns)
    assert tried == {
        "not_null": sum(column.not_null for column in columns) - (automatic if numbers_null else 0),
        "foreign_key": sum(column.references is not None for column in columns),
        "check": sum(len(column.checks) for column in columns),
        "key": sum(len(table.unique_keys) for table in TABLES.values()),
    }
    assert min(tried.values()) > 10


def attempts_on_sqlite(
    table: Table, row: Row, makers: RowMaker
) -> dict[str, tuple[str, list[Any]]]:
    name, key, other = table.name, table.primary_key[0], makers.valid_row(table)
    [(rowid,)] = makers.connection.execute(
        f'select rowid from "{name}" where "{key}" = ?', [row[key]]
    )
    by_rowid = {} if key_is_rowid(table) else {"rowid": rowid}
    found = {
        "update or replace": (f'update or replace "{name}" set "{key}" = "{key}"', []),
        "replace into": insertion(table, row, verb="replace"),
        "or ignore": insertion(table, row, verb="insert or ignore"),
        "by rowid": insertion(
            table, other | by_rowid | keyed(table, row), verb="insert or replace"
        ),
    }
    for unique in table.unique_keys:
        same = other | {part: row[part] for part in unique}
        found[f"replace by {unique}"] = insertion(table, same, verb="insert or replace")
    return found


def attempts_on_postgres(
    table: Table, row: Row, makers: RowMaker
) -> dict[str, tuple[str, list[Any]]]:
    return {
        "truncate": (f'truncate "{table.name}"', []),
        "truncate and what refers to it": (f'truncate "{table.name}" cascade', []),
    }


def attempts_on_mariadb(
    table: Table, row: Row, makers: RowMaker
) -> dict[str, tuple[str, list[Any]]]:
    other = makers.valid_row(table)
    found: dict[str, tuple[str, list[Any]]] = {"truncate": (f'truncate "{table.name}"', [])}
    for unique in table.unique_keys:
        same = other | {part: row[part] for part in unique}
        found[f"replace by {unique}"] = insertion(table, same, verb="replace")
    return found


ATTEMPTS = {
    "sqlite": attempts_on_sqlite,
    "postgres": attempts_on_postgres,
    "mariadb": attempts_on_mariadb,
}


def upsert(table: Table, row: Row, dialect: str) -> tuple[str, list[Any]]:
    key, last = table.primary_key[0], table.columns[-1].name
    target = "duplicate key update" if dialect == "mariadb" else f'conflict ("{key}") do update set'
    return insertion(table, row, f' on {target} "{last}" = "{table.name}"."{last}"')


@pytest.mark.parametrize("name", GUARDED)
@CASCADING
def test_append_only_and_immutable_rows_stay(name: str, makers: RowMaker) -> None:
    table, database = TABLES[name], makers.connection
    row = makers.insert_valid(table)
    key = table.primary_key[0]
    rule = f"{name} is {'append-only' if table.mutability == 'append_only' else 'immutable'}"
    any_column = table.columns[-1].name
    attempts = {
        "update": (f'update "{name}" set "{any_column}" = "{any_column}" where "{key}" = ?', [row[key]]),
        "delete": (f'delete from "{name}" where "{key}" = ?', [row[key]]),
        "delete all": (f'delete from "{name}"', []),
        "upsert": upsert(table, row, database.dialect),
        **ATTEMPTS[database.dialect](table, row, makers),
    }  # fmt: skip
    before = database.execute(f'select * from "{name}"')
    for what, (sql, values) in attempts.items():
        # A reference speaks before any trigger does, and on MariaDB in place of it.
        referenced = "|referenced in a foreign key constraint" if what == "truncate" else ""
        with pytest.raises(Error, match=rule + referenced):
            database.execute(sql, values)
        assert database.execute(f'select * from "{name}"') == before, what


def key_is_rowid(table: Table) -> bool:
    return [c.data_type for c in table.columns if c.primary_key] == ["integer"]


def keyed(table: Table, row: Row) -> Row:
    """A key that collides only after conversion: text where the column holds a number."""
    return {table.primary_key[0]: str(row[table.primary_key[0]])} if key_is_rowid(table) else {}


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
    rows: list[Any] = maker.connection.execute(sql, [row[key]])
    return rows


@pytest.mark.parametrize(("name", "column"), references("on delete cascade"))
@CASCADING
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
    # On MariaDB a cascade would fire no trigger: there the reference keeps the parent.
    kept = makers.connection.dialect == "mariadb" and guarded == [name]
    words = REFUSALS["foreign_key"] if kept else f"{guarded[0]} is append-only"
    with pytest.raises(Error, match=words):
        makers.connection.execute(sql, [value])
    assert remaining(name, row, makers)


@pytest.mark.parametrize(
    ("makers", "verb", "words"),
    [
        ("sqlite", "insert or replace", "bronze_raw_events is append-only"),
        ("mariadb", "replace", REFUSALS["foreign_key"]),
    ],
    indirect=["makers"],
)
def test_replacing_a_parent_cascades_into_no_append_only_child(
    makers: RowMaker, verb: str, words: str
) -> None:
    event = makers.insert_valid(TABLES["bronze_raw_events"])
    [values] = makers.connection.execute(
        "select * from sources where source_id = ?", [event["source_id"]]
    )
    parent = dict(zip([c.name for c in TABLES["sources"].columns], values, strict=True))
    with pytest.raises(Error, match=words):
        makers.insert(TABLES["sources"], parent, verb)
    assert remaining("bronze_raw_events", event, makers)


@pytest.mark.parametrize(("name", "column"), references("on delete set null"))
@CASCADING
def test_a_deleted_parent_is_forgotten(name: str, column: str, makers: RowMaker) -> None:
    row, sql, value = delete_parent(name, column, makers)
    makers.connection.execute(sql, [value])
    [left] = remaining(name, row, makers)
    position = [c.name for c in TABLES[name].columns].index(column)
    assert left[position] is None


@pytest.mark.parametrize(("name", "column"), references(""))
@EVERYWHERE
def test_a_parent_with_children_stays(name: str, column: str, makers: RowMaker) -> None:
    row, sql, value = delete_parent(name, column, makers)
    with pytest.raises(Error, match=REFUSALS["foreign_key"]):
        makers.connection.execute(sql, [value])
    assert remaining(name, row, makers)
