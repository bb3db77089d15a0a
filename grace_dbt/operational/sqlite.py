"""Operational databases on SQLite."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from grace_dbt.errors import GraceError
from grace_dbt.operational import backend
from grace_dbt.operational.backend import Backend, Row
from grace_dbt.operational.catalogue import (
    Catalogue,
    ColumnFacts,
    ForeignKeyFacts,
    IndexFacts,
    Rights,
    TableFacts,
)

if TYPE_CHECKING:
    from grace_dbt.declaration import Table
    from grace_dbt.operational.plan import Step

# The first match decides, as in SQLite's own rules of affinity, but by what a writer means: a
# DATETIME of SQLAlchemy is as good as our TIMESTAMP.
_KINDS = (
    (re.compile("BOOL"), "boolean"),
    (re.compile("DATE|TIME"), "timestamp"),
    (re.compile("JSON"), "json"),
    (re.compile("INT"), "integer"),
    (re.compile("CHAR|CLOB|TEXT"), "text"),
    (re.compile("REAL|FLOA|DOUB|DEC|NUM"), "real"),
    (re.compile("BLOB|^$"), "blob"),
)
_SQL_WORDS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\]
    | --[^\n]* | /\*.*?\*/ | \w+ | \s+ | .""",
    re.VERBOSE | re.DOTALL,
)


def type_kind(declared: str) -> str:
    """The logical type that a declared type is for; `unknown` where no rule fits."""
    return next((kind for rule, kind in _KINDS if rule.search(declared.upper())), "unknown")


def check_conditions(definition: str) -> tuple[str, ...]:
    """The conditions of all CHECK constraints of a CREATE TABLE statement: no pragma tells them."""
    found: list[str] = []
    depth = start = 0
    awaited = False
    for word in _SQL_WORDS.finditer(definition):
        text = word.group()
        if text.isspace() or text.startswith(("--", "/*")):
            continue
        if start:
            depth += (text == "(") - (text == ")")
            if depth == 0:
                found.append(definition[start : word.start()])
                start = 0
        elif awaited and text == "(":
            depth, start = 1, word.end()
        awaited = text.lower() == "check"
    return tuple(found)


# Enough for the pages of 131 indexes while a long history is written.
CACHE_KIB = 200_000


class SQLiteBackend(Backend):
    """One SQLite file (see `Backend`)."""

    dialect = "sqlite"
    quote_mark = '"'
    value_mark = "?"
    checks_parents = False

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        """Take over an open connection; `place` names it in messages."""
        self._connection = connection
        self._place = place

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Self:
        """Open a file; only with `write` may it be missing.

        Also a reader opens it as a writer would, so that what a killed process left half-done can
        be rolled back. SQLite turns to reading alone where the file is protected.
        """
        mode = "rwc" if write else "rw"
        with _explained(str(path)):
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode={mode}",
                uri=True,
                timeout=backend.WAIT_SECONDS,
                isolation_level=None,
            )
        opened = cls(connection, str(path))
        try:
            opened.execute("pragma foreign_keys = on")
            opened.execute(f"pragma cache_size = -{CACHE_KIB}")
            opened.execute("select 1 from sqlite_master")
        except GraceError:
            connection.close()
            raise
        return opened

    @classmethod
    def scratch(cls) -> Self:
        """An empty database in memory."""
        return cls(sqlite3.connect(":memory:", isolation_level=None), "memory")

    def expected(self, plan: Sequence[Step], declaration: Mapping[str, Table]) -> Catalogue:
        """See `Backend.expected`."""
        return backend.made_in(self.scratch(), plan)

    def reflect(self, tables: Collection[str]) -> Catalogue:
        """See `Backend.reflect`."""
        names: dict[str, str] = {}
        definitions: dict[str, str] = {}
        triggers: dict[str, dict[str, str]] = defaultdict(dict)
        with _explained(self._place):
            rows = self._rows(
                "select type, lower(name), lower(tbl_name), sql from sqlite_master"
                " where name not like 'sqlite\\_%' escape '\\' or type = 'index'"
            )
            for kind, name, table, sql in rows:
                if kind == "trigger":
                    triggers[table][name] = sql
                    continue
                names[name] = f"index on {table}" if kind == "index" else kind
                if kind == "table":
                    virtual = sql.lower().startswith("create virtual")
                    names[name] = "virtual table" if virtual else kind
                    if name in tables and not virtual:
                        definitions[name] = sql
            found = {
                name: self._table(name, sql, triggers[name]) for name, sql in definitions.items()
            }
        return Catalogue(found, names)

    def _table(self, name: str, sql: str, triggers: dict[str, str]) -> TableFacts:
        columns = self._rows("select * from pragma_table_info(?)", name)
        key = [row for row in sorted(columns, key=lambda row: int(row[5])) if row[5]]
        # A single INTEGER key is the row's own number: never NULL, whatever the column says.
        rowid = len(key) == 1 and key[0][2].upper() == "INTEGER"
        unique_keys: set[tuple[str, ...]] = set()
        indexes: dict[str, IndexFacts] = {}
        for _, index, unique, origin, partial in self._rows(
            "select * from pragma_index_list(?)", name
        ):
            over = tuple(row[2] for row in self._rows("select * from pragma_index_info(?)", index))
            if origin == "u":
                unique_keys.add(over)
            elif origin == "c":
                indexes[index.lower()] = IndexFacts(index, over, bool(unique), bool(partial))
        return TableFacts(
            name=name,
            definition=sql,
            columns=tuple(
                ColumnFacts(
                    column, type_, type_kind(type_), bool(not_null or (rowid and in_key)), default
                )
                for _, column, type_, not_null, default, in_key in columns
            ),
            primary_key=tuple(row[1] for row in key),
            unique_keys=frozenset(unique_keys),
            foreign_keys=self._foreign_keys(name),
            checks=check_conditions(sql),
            indexes=indexes,
            triggers=triggers,
        )

    def _foreign_keys(self, table: str) -> frozenset[ForeignKeyFacts]:
        by_number = defaultdict(list)
        for row in self._rows("select * from pragma_foreign_key_list(?) order by id, seq", table):
            by_number[row[0]].append(row)
        found = set()
        for rows in by_number.values():
            parent, action = rows[0][2], rows[0][6].lower()
            # Without a column the reference means the key of the parent.
            targets = tuple(row[4] for row in rows)
            if None in targets:
                targets = tuple(
                    row[0]
                    for row in self._rows(
                        "select name from pragma_table_info(?) where pk > 0 order by pk", parent
                    )
                )
            action = f"on delete {action}" if action in ("cascade", "set null") else ""
            found.add(ForeignKeyFacts(tuple(row[3] for row in rows), parent, targets, action))
        return frozenset(found)

    def rights(self, tables: Collection[str]) -> Rights:
        """See `Backend.rights`."""
        existing = self.reflect(tables).tables
        return backend.file_rights(f"SQLite {sqlite3.sqlite_version}", Path(self._place), existing)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Backend.transaction`."""
        self.execute("begin immediate")
        try:
            yield
            self.execute("commit")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def execute(self, sql: str) -> None:
        """See `Backend.execute`."""
        with _explained(self._place):
            self._connection.execute(sql)

    def finds(self, query: str) -> bool:
        """See `Backend.finds`."""
        with _explained(self._place):
            return bool(self._rows(query))

    def run(self, sql: str, values: Sequence[object]) -> list[Row]:
        """See `Backend.run`."""
        with _explained(self._place):
            return self._connection.execute(sql, values).fetchall()

    def was_in_the_way(self, error: GraceError) -> bool:
        """See `Backend.was_in_the_way`."""
        name = getattr(error.__cause__, "sqlite_errorname", "")
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Backend.insert`."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        with _explained(self._place):
            self._connection.executemany(f'insert into "{table}" ({names}) values ({marks})', rows)

    def _rows(self, sql: str, *values: str) -> list[tuple[str, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """See `Backend.close`."""
        self._connection.close()
        backend.let_go(self)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn an error of SQLite into two lines; its short name says more than its text does."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(place, error) from error


def _explain(place: str, error: sqlite3.Error) -> GraceError:
    name = getattr(error, "sqlite_errorname", "")
    known = (
        (
            ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
            f"{place} is damaged, or not a SQLite database: {error}.",
            "Restore it from a backup, or name another file with --db; nothing was changed.",
        ),
        (
            ("SQLITE_BUSY", "SQLITE_LOCKED"),
            f"Another process has {place} locked for more than {backend.WAIT_SECONDS:.0f} seconds.",
            "Run the command again when that process is done; nothing was changed.",
        ),
        (
            ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"),
            f"{place} can't be written: {error}.",
            "Check the rights of the file and of its directory; nothing was changed.",
        ),
        (
            ("SQLITE_CANTOPEN",),
            f"{place} can't be opened: {error}.",
            "Check the rights of the file and of its directory.",
        ),
        (
            ("SQLITE_FULL", "SQLITE_IOERR"),
            f"{place} could not be written: {error}.",
            "Free some space or check the disk, and run the command again; nothing was changed.",
        ),
    )
    for names, message, hint in known:
        if name.startswith(names):
            return GraceError(message, hint)
    return GraceError(
        f"SQLite refuses a statement on {place}: {error}.", "The transaction was rolled back."
    )
