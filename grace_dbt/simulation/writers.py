"""Writing rows fast, one class a kind of database: what differs between them lives here alone."""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import duckdb

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import OperationalUrl

Row = tuple[object, ...]

LOCK_TIMEOUT = 5.0  # seconds to wait for another writer
CACHE_KIB = 200_000


class Writer(Protocol):
    """One transaction on an operational database; leaving it by an exception undoes everything."""

    def __enter__(self) -> Writer:
        """Open the database and begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or roll back after an exception; close."""

    def tables(self) -> set[str]:
        """The names of all tables."""

    def is_empty(self, table: str) -> bool:
        """Whether a table has no row."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows, in the given order of columns."""


def open_writer(url: OperationalUrl) -> Writer:
    """The writer for a URL; the database is opened when it is entered."""
    return WRITERS[url.dialect](url)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class SqliteWriter:
    """Writes through `executemany`, with foreign keys enforced."""

    def __init__(self, url: OperationalUrl) -> None:
        """Keep the URL."""
        self._url = url

    def __enter__(self) -> SqliteWriter:
        """Open the file and take its write lock, so that a busy file is known before any work."""
        self._url.require_file()
        try:
            self._connection = sqlite3.connect(
                self._url.path, timeout=LOCK_TIMEOUT, isolation_level=None
            )
            self._connection.execute("pragma foreign_keys = on")
            self._connection.execute(f"pragma cache_size = -{CACHE_KIB}")
            self._connection.execute("begin immediate")
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or let the closing undo everything."""
        try:
            if kind is None:
                self._connection.execute("commit")
        except sqlite3.Error as failure:
            raise self._explained(failure) from failure
        finally:
            self._connection.close()

    def tables(self) -> set[str]:
        """The names of all tables."""
        rows = self._connection.execute("select name from sqlite_master where type = 'table'")
        return {row[0] for row in rows}

    def is_empty(self, table: str) -> bool:
        """Whether a table has no row."""
        return (
            self._connection.execute(f"select 1 from {_quoted(table)} limit 1").fetchone() is None
        )

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows."""
        names = ", ".join(_quoted(column) for column in columns)
        marks = ", ".join("?" * len(columns))
        try:
            self._connection.executemany(
                f"insert into {_quoted(table)} ({names}) values ({marks})", rows
            )
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: sqlite3.Error) -> GraceError:
        if "locked" in str(error) or "busy" in str(error):
            return _locked(self._url)
        return _refused(self._url, error)


class DuckdbWriter:
    """Writes through temporary CSV files and `copy`: row by row is a hundred times slower there."""

    def __init__(self, url: OperationalUrl) -> None:
        """Keep the URL."""
        self._url = url

    def __enter__(self) -> DuckdbWriter:
        """Open the file, which DuckDB lends to one process at a time."""
        self._url.require_file()
        try:
            self._connection = duckdb.connect(str(self._url.path))
        except duckdb.Error as error:
            locked = "lock" in str(error) or "different configuration" in str(error)
            raise (_locked(self._url) if locked else _refused(self._url, error)) from error
        self._folder = tempfile.TemporaryDirectory(prefix="grace-simulate-")
        self._connection.execute("begin transaction")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or let the closing undo everything."""
        try:
            if kind is None:
                self._connection.execute("commit")
        except duckdb.Error as failure:
            raise _refused(self._url, failure) from failure
        finally:
            self._connection.close()
            self._folder.cleanup()

    def tables(self) -> set[str]:
        """The names of all tables of the main schema."""
        rows = self._connection.execute(
            "select table_name from duckdb_tables() where database_name = current_database() "
            "and schema_name = 'main'"
        ).fetchall()
        return {row[0] for row in rows}

    def is_empty(self, table: str) -> bool:
        """Whether a table has no row."""
        found = self._connection.execute(f"select 1 from {_quoted(table)} limit 1").fetchone()
        return found is None

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows; an empty field is NULL, so rows hold no empty text."""
        path = Path(self._folder.name) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [_bytes_as_text(row) for row in rows]
                if any(isinstance(value, bytes) for value in rows[0])
                else rows
            )
        names = ", ".join(_quoted(column) for column in columns)
        try:
            self._connection.execute(
                f"copy {_quoted(table)} ({names}) from '{str(path).replace(chr(39), chr(39) * 2)}' "
                "(format csv, header false, delimiter ',', quote '\"', escape '\"', "
                "auto_detect false, nullstr '')"
            )
        except duckdb.Error as error:
            raise _refused(self._url, error) from error


def _bytes_as_text(row: Row) -> Row:
    r"""DuckDB reads a blob from text, with \xAA for what is not plain ASCII."""
    return tuple(
        "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02X}" for b in value)
        if isinstance(value, bytes)
        else value
        for value in row
    )


def _locked(url: OperationalUrl) -> GraceError:
    return GraceError(
        f"The {url.dialect} database at {url.path} is locked by another process.",
        "Stop what writes to it, or wait for it to end, and try again; nothing was written.",
        ExitCode.ENVIRONMENT,
    )


def _refused(url: OperationalUrl, error: Exception) -> GraceError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return GraceError(
        f"The {url.dialect} database at {url.path} refused: {reason}",
        f"Nothing was written. Check the file, or create a new one with: grace-dbt init --db {url}",
        ExitCode.ENVIRONMENT,
    )


WRITERS: dict[str, Callable[[OperationalUrl], Writer]] = {
    "sqlite": SqliteWriter,
    "duckdb": DuckdbWriter,
}
