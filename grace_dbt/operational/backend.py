"""The one way to reach an operational database, whatever its engine."""

from __future__ import annotations

import os
import stat
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self

from grace_dbt.errors import GraceError
from grace_dbt.operational.catalogue import Catalogue, ColumnFacts, Rights
from grace_dbt.operational.url import FileUrl, OperationalUrl, ServerUrl

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from grace_dbt.declaration import Table
    from grace_dbt.operational.plan import Step

Row = tuple[object, ...]

# How long a command waits for another process that has the database.
WAIT_SECONDS = 30.0
# How long a server may take to answer at all.
CONNECT_SECONDS = 10

# Whoever closes any handle of a file gives up all locks that the process has on it, those of SQLite and DuckDB in other
# threads included (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_):
# a file is looked into only while nobody here has it open.
_OPENING: dict[str, threading.Lock] = {}
_OPEN: Counter[str] = Counter()
_COUNTING = threading.Lock()
_TURNS: dict[str, threading.RLock] = {}


class Backend(Protocol):
    """A connection to one operational database; a context manager that closes it.

    Attributes:
        dialect: The plan that fits it: sqlite, duckdb, postgres, mysql or mariadb.
        quote_mark: What stands around a name.
        value_mark: What stands for a value in a statement of `run`.
        unseen: Kinds of things that this user is not shown, so that nobody can say they are missing.
        checks_parents: Whether it refuses a new table whose reference points to no key.
        for_update: What stands behind a query so that nobody changes its rows, or adds one at their end, before the
            transaction is over; empty where `hold` sees to that.
    """

    dialect: str
    quote_mark: str
    value_mark: str
    unseen: Collection[str] = ()
    checks_parents: bool
    for_update: str = ""
    _file: str | None = None

    def expected(self, plan: Sequence[Step], declaration: Mapping[str, Table]) -> Catalogue:
        """What the plan makes on an empty database, in the words of `reflect`."""
        ...

    def fits(self, child: ColumnFacts, parent: ColumnFacts) -> bool:
        """Whether the engine lets a column of these types reference the other one."""
        return child.declared_type == parent.declared_type

    def can_index(self, column: ColumnFacts) -> bool:
        """Whether the engine takes a column of this type into an index as a whole."""
        return True

    def reflect(self, tables: Collection[str]) -> Catalogue:
        """What the database holds under these lower-case table names, and what else has a name.

        Raises:
            GraceError: The database can't be read.
        """
        ...

    def rights(self, tables: Collection[str]) -> Rights:
        """What this connection may do with the existing ones among these lower-case table names.

        Asks the catalogue, or the file system: touches no row, and holds nobody off.

        Raises:
            GraceError: The database can't be read.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything or nothing: holds off other writers from its beginning, commits at its end.

        Raises:
            GraceError: Another process writes for too long, or the database can't be written.
        """
        ...

    def execute(self, sql: str) -> None:
        """Run one statement.

        Raises:
            GraceError: The database refuses it.
        """
        ...

    def finds(self, query: str) -> bool:
        """Whether a query gives a row.

        Raises:
            GraceError: The database refuses it.
        """
        ...

    def run(self, sql: str, values: Sequence[object]) -> list[Row]:
        """Run one statement with values, each at its mark; the rows that it gives.

        Raises:
            GraceError: The database refuses it.
        """
        ...

    def was_in_the_way(self, error: GraceError) -> bool:
        """Whether another writer made a transaction fail, so that it may succeed when it is run again."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add many rows at once, given in the order of the columns; they hold no empty text.

        Raises:
            GraceError: The database refuses them.
        """
        ...

    def add(self, table: str, row: Mapping[str, object], returning: str = "") -> list[Row]:
        """Add one row, by column; what it gives back where the engine knows such a clause.

        Raises:
            GraceError: The database refuses it.
        """
        names = ", ".join(map(self.quoted, row))
        marks = ", ".join([self.value_mark] * len(row))
        sql = f"insert into {self.quoted(table)} ({names}) values ({marks}){returning}"
        return self.run(sql, list(row.values()))

    def add_counted(self, table: str, row: Mapping[str, object]) -> int:
        """Add one row, by column, whose key `id` is the next number; that number.

        The engines of one file don't count in every table: there the transaction has the whole file, so that no other
        one takes the same number.

        Raises:
            GraceError: The database refuses it.
        """
        query = f"select coalesce(max(id), 0) + 1 from {self.quoted(table)}"
        [(number,)] = self.run(query, [])
        assert isinstance(number, int)
        self.add(table, {"id": number, **row})
        return number

    def hold(self, table: str) -> None:
        """Keep everybody from writing to a table until the transaction is over, Grace included, where the rights allow.

        An engine of one file does so from the beginning of the transaction, for all tables.

        Raises:
            GraceError: Somebody else has the table for too long, or it is missing.
        """
        return

    def mark(self) -> str | None:
        """A text that differs once a transaction has committed since; None where the engine or the rights don't tell.

        Raises:
            GraceError: The database can't be asked.
        """
        return None

    def close(self) -> None:
        """Give the database back."""
        ...

    def quoted(self, name: str) -> str:
        """A name as SQL of this engine."""
        mark = self.quote_mark
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def is_empty(self, table: str) -> bool:
        """Whether a table has no row."""
        return not self.finds(f"select 1 from {self.quoted(table)} limit 1")

    def has_duplicates(self, table: str, columns: Iterable[str]) -> bool:
        """Whether rows would break a unique index over these columns; those with a NULL never do."""
        names = [self.quoted(name) for name in columns]
        present = " and ".join(f"{name} is not null" for name in names)
        return self.finds(
            f"select 1 from {self.quoted(table)} where {present}"
            f" group by {', '.join(names)} having count(*) > 1 limit 1"
        )

    def has_orphans(self, table: str, column: str, parent: str, key: str) -> bool:
        """Whether rows would break a reference to an existing table."""
        own, target = self.quoted(column), self.quoted(key)
        return self.finds(
            f"select 1 from {self.quoted(table)} as child left join {self.quoted(parent)} as parent"
            f" on child.{own} = parent.{target}"
            f" where child.{own} is not null and parent.{target} is null limit 1"
        )

    def has_breach(self, table: str, column: str, condition: str) -> bool:
        """Whether rows would break a check, with the column as `{column}`."""
        words = condition.replace("{column}", self.quoted(column))
        return self.finds(f"select 1 from {self.quoted(table)} where not ({words}) limit 1")

    def __enter__(self) -> Self:
        """The connection itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def open_database(url: OperationalUrl, *, write: bool) -> Backend:
    """Connect to an operational database.

    Args:
        url: Which one.
        write: Whether to change it; its file is then created where it is missing.

    Raises:
        GraceError: The file is missing, is not a database of this engine, or can't be opened.
    """
    if isinstance(url, ServerUrl):
        if url.dialect == "postgres":
            from grace_dbt.operational.postgres import PostgresBackend

            return PostgresBackend.open(url, write=write)
        from grace_dbt.operational.mysql import MySQLBackend

        return MySQLBackend.open(url, write=write)
    assert isinstance(url, FileUrl)
    missing = _size(url) is None
    if missing and not write:
        url.require_present()
    if missing:
        require_directory(url)
    file = str(url.path.resolve())
    with _OPENING.setdefault(file, threading.Lock()):
        if not _OPEN[file]:
            _require_own_format(url)
        opened: Backend
        if url.dialect == "sqlite":
            from grace_dbt.operational.sqlite import SQLiteBackend

            opened = SQLiteBackend.open(url.path, write=write)
        else:
            from grace_dbt.operational.duckdb import DuckDBBackend

            opened = DuckDBBackend.open(url.path, write=write)
        with _COUNTING:
            _OPEN[file] += 1
    opened._file = file
    return opened


def turn_of(path: Path) -> threading.RLock:
    """What a thread of this process holds while it writes to a file, and between opening and closing it for that alone.

    Threads share what DuckDB has open, and two of their transactions may read the same rows and both commit. SQLite
    looks whether the process has locks before it closes a handle, and loses those that a thread takes just then.
    """
    return _TURNS.setdefault(str(path.resolve()), threading.RLock())


def let_go(opened: Backend) -> None:
    """Count a file as closed that `open_database` opened."""
    with _COUNTING:
        if opened._file:
            _OPEN[opened._file] -= 1
        opened._file = None


def holds_nothing(url: OperationalUrl) -> bool:
    """Whether there is no database yet: no file, or one that was never filled. A server has one.

    Raises:
        GraceError: A directory has the name, or the file can't be looked at.
    """
    if not isinstance(url, FileUrl):
        return False
    size = _size(url)
    if url.dialect == "duckdb" and size:
        from grace_dbt.operational.duckdb import is_unborn

        return is_unborn(url.path)
    return not size


def require_directory(url: FileUrl) -> None:
    """Fail where the file could not be created.

    Raises:
        GraceError: Its directory is missing.
    """
    if not url.path.parent.is_dir():
        raise GraceError(
            f"There is no directory {url.path.parent}.",
            "Create it first, or name another file with --db.",
        )


def made_in(scratch: Backend, plan: Sequence[Step]) -> Catalogue:
    """What a plan makes, found by making it: an engine that keeps its statements can be asked."""
    with scratch:
        with scratch.transaction():
            for step in plan:
                scratch.execute(step.sql)
        return scratch.reflect({step.table.lower() for step in plan})


def file_rights(engine: str, path: Path, existing: Iterable[str]) -> Rights:
    """The rights to a database in one file that was opened: all tables are written, or none.

    Both engines write a second file beside it, so the directory counts as well.
    """
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return Rights(engine, (), () if writable else tuple(sorted(existing)), writable)


def _size(url: FileUrl) -> int | None:
    """Bytes of the file; None where there is none."""
    try:
        facts = url.path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GraceError(
            f"{url.path} can't be reached: {error.strerror}.",
            "Check the path and the rights of the directories above it.",
        ) from error
    if stat.S_ISDIR(facts.st_mode):
        raise GraceError(
            f"{url.path} is a directory, not a {url.dialect} database.",
            f"Name a file: --db {url}/operational.{url.dialect}",
        )
    return facts.st_size


def _require_own_format(url: FileUrl) -> None:
    """Fail on a file of the other engine: DuckDB would fetch an extension to read SQLite's."""
    try:
        with url.path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise GraceError(
            f"{url.path} can't be read: {error.strerror}.",
            "Check the rights of the file and of the directories above it.",
        ) from error
    found = "sqlite" if start.startswith(b"SQLite format 3\0") else ""
    found = found or ("duckdb" if start[8:12] == b"DUCK" else "")
    if found and found != url.dialect:
        raise GraceError(
            f"{url.path} is a {found} database, not a {url.dialect} one.",
            f"Use --db {found}:///{url.path}",
        )
    # SQLite would take a short file of anything else for an empty database, and write over it. A
    # header of zeros is what a process leaves that was killed before it wrote the first page.
    if url.dialect == "sqlite" and not found and any(start):
        raise GraceError(
            f"{url.path} is damaged, or not a SQLite database.",
            "Restore it from a backup, or name another file with --db; nothing was changed.",
        )
