"""Operational databases on DuckDB."""

from __future__ import annotations

import csv
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

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
    import duckdb

    from grace_dbt.declaration import Table
    from grace_dbt.operational.plan import Step

_KINDS = (
    (re.compile("JSON"), "json"),
    (re.compile("BOOL"), "boolean"),
    (re.compile("DATE|TIME"), "timestamp"),
    (re.compile("INT"), "integer"),
    (re.compile("VARCHAR|ENUM|UUID"), "text"),
    (re.compile("DOUBLE|FLOAT|DECIMAL"), "real"),
    (re.compile("BLOB"), "blob"),
)
# The file begins with three headers, written one after the other; data comes behind them.
_HEADERS_SIZE = 3 * 4096
_OURS = "database_name = current_database() and schema_name = 'main'"


def type_kind(declared: str) -> str:
    """The logical type that a declared type is for; `unknown` where no rule fits."""
    return next((kind for rule, kind in _KINDS if rule.search(declared.upper())), "unknown")


class DuckDBBackend(Backend):
    """One DuckDB file (see `Backend`)."""

    dialect = "duckdb"
    quote_mark = '"'
    value_mark = "?"
    checks_parents = True

    def __init__(self, connection: duckdb.DuckDBPyConnection, place: str) -> None:
        """Take over an open connection; `place` names it in messages."""
        self._connection = connection
        self._place = place

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Self:
        """Open a file, which may be missing with `write`; waits while another process has it."""
        import duckdb

        deadline = time.monotonic() + backend.WAIT_SECONDS
        while True:
            if write and is_unborn(path) and not _remove(path):
                time.sleep(0.1)
                continue
            try:
                return cls(duckdb.connect(path, read_only=not write), str(path))
            except duckdb.Error as error:
                if "lock on file" not in str(error) or time.monotonic() > deadline:
                    raise _explain(str(path), error) from error
                time.sleep(0.1)

    @classmethod
    def scratch(cls) -> Self:
        """An empty database in memory."""
        import duckdb

        return cls(duckdb.connect(":memory:"), "memory")

    def expected(self, plan: Sequence[Step], declaration: Mapping[str, Table]) -> Catalogue:
        """See `Backend.expected`."""
        return backend.made_in(self.scratch(), plan)

    def reflect(self, tables: Collection[str]) -> Catalogue:
        """See `Backend.reflect`."""
        names: dict[str, str] = {}
        columns: dict[str, list[ColumnFacts]] = defaultdict(list)
        indexes: dict[str, dict[str, IndexFacts]] = defaultdict(dict)
        constraints: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for (view,) in self._rows(f"select lower(view_name) from duckdb_views() where {_OURS}"):
            names[view] = "view"
        for table, name, type_, nullable, default in self._rows(
            "select lower(table_name), column_name, data_type, is_nullable, column_default"
            f" from duckdb_columns() where {_OURS} order by column_index"
        ):
            columns[table].append(ColumnFacts(name, type_, type_kind(type_), not nullable, default))
        for table, *rest in self._rows(
            "select lower(table_name), constraint_type, constraint_column_names, referenced_table,"
            f" referenced_column_names, expression from duckdb_constraints() where {_OURS}"
        ):
            constraints[table].append(tuple(rest))
        for table, name, unique, expressions in self._rows(
            "select lower(table_name), index_name, is_unique, expressions"
            f" from duckdb_indexes() where {_OURS} and not is_primary"
        ):
            indexes[table][name.lower()] = IndexFacts(name, _index_columns(expressions), unique)
            names[name.lower()] = f"index on {table}"
        found: dict[str, TableFacts] = {}
        for table, sql in self._rows(
            f"select lower(table_name), sql from duckdb_tables() where {_OURS}"
        ):
            names[table] = "table"
            if table in tables:
                found[table] = _table_facts(
                    table, sql, columns[table], constraints[table], indexes[table]
                )
        return Catalogue(found, names)

    def rights(self, tables: Collection[str]) -> Rights:
        """See `Backend.rights`."""
        import duckdb

        existing = self.reflect(tables).tables
        return backend.file_rights(f"DuckDB {duckdb.__version__}", Path(self._place), existing)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Backend.transaction`; other processes are held off as long as the file is open."""
        with backend.turn_of(Path(self._place)):
            self.execute("begin transaction")
            try:
                yield
                self.execute("commit")
            except BaseException:
                import duckdb

                # A failed commit has rolled back by itself.
                with suppress(duckdb.Error):
                    self._connection.rollback()
                raise

    def execute(self, sql: str) -> None:
        """See `Backend.execute`."""
        self._rows(sql)

    def finds(self, query: str) -> bool:
        """See `Backend.finds`."""
        return bool(self._rows(query))

    def run(self, sql: str, values: Sequence[object]) -> list[Row]:
        """See `Backend.run`."""
        return self._rows(sql, *values)

    def was_in_the_way(self, error: GraceError) -> bool:
        """See `Backend.was_in_the_way`: while the file is open here no other process writes."""
        return False

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Backend.insert`; row by row is a hundred times slower than by way of a file."""
        names = ", ".join(f'"{name}"' for name in columns)
        with tempfile.TemporaryDirectory(prefix="grace-dbt-") as folder:
            path = Path(folder) / "rows.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(map(_spelled, rows))
            quoted = str(path).replace("'", "''")
            self._rows(
                f"copy \"{table}\" ({names}) from '{quoted}' (format csv, header false,"
                " delimiter ',', quote '\"', escape '\"', auto_detect false, nullstr '')"
            )

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql, values or None).fetchall()
        except duckdb.Error as error:
            raise _explain(self._place, error) from error

    def close(self) -> None:
        """See `Backend.close`."""
        self._connection.close()
        backend.let_go(self)


def _spelled(row: Row) -> Row:
    r"""A row for a CSV file: a blob is text there, with \xAA for what is not plain ASCII."""
    if not any(isinstance(value, bytes) for value in row):
        return row
    return tuple(
        "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02X}" for b in value)
        if isinstance(value, bytes)
        else value
        for value in row
    )


def _table_facts(
    name: str,
    definition: str,
    columns: list[ColumnFacts],
    constraints: list[tuple[Any, ...]],
    indexes: dict[str, IndexFacts],
) -> TableFacts:
    def over(kind: str) -> list[tuple[str, ...]]:
        return [tuple(c[1]) for c in constraints if c[0] == kind]

    return TableFacts(
        name=name,
        definition=definition,
        columns=tuple(columns),
        primary_key=next(iter(over("PRIMARY KEY")), ()),
        unique_keys=frozenset(over("UNIQUE")),
        foreign_keys=frozenset(
            ForeignKeyFacts(tuple(own), parent, tuple(targets), "")
            for kind, own, parent, targets, _ in constraints
            if kind == "FOREIGN KEY"
        ),
        checks=tuple(c[4] for c in constraints if c[0] == "CHECK"),
        indexes=indexes,
    )


def _index_columns(expressions: str) -> tuple[str | None, ...]:
    """Columns out of DuckDB's text, such as `[status, '"offset"']`; None for what is no column."""
    columns: list[str | None] = []
    for part in expressions.strip("[]").split(", "):
        name = part.strip("'\"")
        columns.append(name if re.fullmatch(r"\w+", name) else None)
    return tuple(columns)


def is_unborn(path: Path) -> bool:
    """Whether DuckDB was killed while it created this file: too short to hold data."""
    try:
        if path.stat().st_size >= _HEADERS_SIZE or path.with_name(path.name + ".wal").exists():
            return False
        content = path.read_bytes()
    except OSError:
        return False
    return content[8:12] == b"DUCK" or not any(content)


def _remove(path: Path) -> bool:
    """Remove an unborn file, unless it is so young that another process may just be creating it.

    Raises:
        GraceError: It can't be removed.
    """
    try:
        if time.time() - path.stat().st_mtime < 1:
            return False
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise GraceError(
            f"{path} is empty and can't be replaced: {error.strerror}.",
            "Check the rights of its directory.",
        ) from error
    return True


def _explain(place: str, error: Exception) -> GraceError:
    """Turn an error of DuckDB into two lines."""
    reason = str(error).splitlines()[0].rstrip(".")
    lowered = reason.lower()
    known = (
        (
            ("lock on file",),
            f"Another process has {place} open for more than {backend.WAIT_SECONDS:.0f} seconds.",
            "Close it, or run the command again when it is done; nothing was changed.",
        ),
        (
            ("not a valid duckdb", "corrupt", "checksum", "serialization error"),
            f"{place} is damaged, or not a DuckDB database: {reason}.",
            "Restore it from a backup, or name another file with --db; nothing was changed.",
        ),
        (
            ("permission denied", "read-only"),
            f"{place} can't be written: {reason}.",
            "Check the rights of the file and of its directory; nothing was changed.",
        ),
        (
            ("no space", "could not write", "too large", "disk"),
            f"{place} could not be written: {reason}.",
            "Free some space or check the disk, and run the command again; nothing was changed.",
        ),
        (
            ("cannot open", "could not read", "io error"),
            f"{place} can't be opened: {reason}.",
            "Check the rights of the file and of its directory.",
        ),
    )
    for marks, message, hint in known:
        if any(mark in lowered for mark in marks):
            return GraceError(message, hint)
    return GraceError(
        f"DuckDB refuses a statement on {place}: {reason}.", "The transaction was rolled back."
    )
