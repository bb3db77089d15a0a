"""Read what is published: one snapshot, held for as long as it is read, by a connection that can do nothing else."""

from __future__ import annotations

import fcntl
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grace_dbt.deadlines import stopped_after
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.attach import quoted
from grace_dbt.publishing import Published, numbered, pointed_to
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Parameters = Sequence[Any] | Mapping[str, Any]

ALIAS = "cube"
# How often a reader follows the pointer anew when its snapshot goes away under it. Each time a publication has to end
# between two system calls, and leave three snapshots behind that are newer.
ATTEMPTS = 20
# Functions that look like a SELECT and change what later queries do.
_REFUSED = re.compile(
    r"\b(?:(?:en|dis)able_logging|truncate_duckdb_logs|write_log|(?:en|dis)able_profiling|setseed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """The first rows of what a query gives.

    Attributes:
        columns: Name of each column.
        types: Type of each column, in DuckDB's words.
        rows: One tuple a row.
        truncated: Whether there are more rows than these.
    """

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool


class Snapshot:
    """One published snapshot, open for reading; every query sees the same rows.

    Several threads may share it: each query runs on a connection of its own. Its names resolve as they are
    (`dim_tier`) and in full (`cube.main.dim_tier`), its times are UTC. No query can write, read another file, load an
    extension or change a setting.
    """

    def __init__(self, published: Published, connection: DuckDBPyConnection) -> None:
        """Keep what was opened; `open_snapshot` does that."""
        self._published = published
        self._connection = connection
        # Those that an answer was taken from whole serve again: a new one takes a tenth of what a small question does.
        # DuckDB closes them with the connection that they are of.
        self._idle: deque[DuckDBPyConnection] = deque()

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return Path(self._published.snapshot_path)

    @property
    def number(self) -> int:
        """Counts up with each publication; a later snapshot has a higher one."""
        return numbered(self.path)

    @property
    def as_of(self) -> datetime:
        """When the operational database was read for it, in UTC."""
        return datetime.fromisoformat(self._published.as_of)

    @property
    def built_at(self) -> datetime:
        """When it was published, in UTC."""
        return datetime.fromisoformat(self._published.built_at)

    @property
    def run_id(self) -> str | None:
        """Which run published it: the key of `cube_etl_metadata`."""
        return self._published.run_id

    @property
    def tables(self) -> dict[str, int]:
        """Row count of each table."""
        return dict(self._published.rows)

    @property
    def lag_seconds(self) -> float:
        """Seconds since the operational database was read for it."""
        return self._published.lag_seconds()

    def query(self, sql: str, parameters: Parameters | None = None) -> DuckDBPyConnection:
        """Run one SELECT.

        Args:
            sql: The query: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE, or PIVOT with its values named.
            parameters: For `?` in order, or for `$name` by name.

        Returns:
            DuckDB's result: `fetchone`, `fetchmany`, `fetchall`, `description`; `df` and `arrow` where pandas and
            pyarrow are installed. Rows are computed as they are fetched.

        Raises:
            GraceError: It is no SELECT, or several statements; exit code 2.
            duckdb.Error: What DuckDB says of the query, here or while rows are fetched.
        """
        return self._run(self._cursor(), sql, parameters)

    def answer(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        limit: int = 1000,
        timeout: float = 30.0,
    ) -> Answer:
        """Run one SELECT for somebody who may ask anything: rows and seconds are bounded.

        Args:
            sql: The query, as for `query`.
            parameters: As for `query`.
            limit: How many rows at most; no more than one above it is computed and kept.
            timeout: Seconds after which the query is stopped.

        Raises:
            GraceError: The query is wrong (exit code 2), takes too long (1) or too much memory (3).
        """
        import duckdb

        cursor = self._idle_cursor()
        is_whole = False
        try:
            with stopped_after(timeout, cursor.interrupt) as deadline:
                result = self._run(cursor, sql, parameters)
                rows = result.fetchmany(limit + 1)
                described = result.description or []
            is_whole = len(rows) <= limit and not deadline.has_passed
        except duckdb.InterruptException as error:
            if not deadline.has_passed:
                raise
            raise GraceError(
                f"The query was stopped after {timeout:g} s.",
                "Ask for less, read a rollup instead of a fact, or allow more time.",
                ExitCode.BAD,
            ) from error
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # how DuckDB tells of Ctrl-C
                raise KeyboardInterrupt from error
            raise
        except duckdb.OutOfMemoryException as error:
            raise GraceError(
                "The query needs more memory than a reader has.",
                "Ask for less, or read a rollup instead of a fact.",
            ) from error
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
            raise GraceError(
                f"The snapshot {self.path} can't be read: {_first_line(error)}",
                "Run: grace-dbt refresh",
            ) from error
        except duckdb.Error as error:
            raise GraceError(
                _first_line(error),
                "`show tables` lists the tables, `describe <table>` its columns.",
                ExitCode.USAGE,
            ) from error
        finally:
            if is_whole:
                self._idle.append(cursor)
            else:
                cursor.close()
        return Answer(
            columns=[column[0] for column in described],
            types=[str(column[1]) for column in described],
            rows=rows[:limit],
            truncated=len(rows) > limit,
        )

    def _idle_cursor(self) -> DuckDBPyConnection:
        """A connection that is done with an earlier query, else a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._cursor()

    def _cursor(self) -> DuckDBPyConnection:
        """A connection for one query; which database it means by default is its own affair."""
        cursor = self._connection.cursor()
        cursor.execute(f"use {ALIAS}")
        return cursor

    @staticmethod
    def _run(
        cursor: DuckDBPyConnection, sql: str, parameters: Parameters | None
    ) -> DuckDBPyConnection:
        import duckdb

        statements = cursor.extract_statements(sql)
        kinds = [statement.type.name for statement in statements]
        if len(kinds) != 1:
            # DuckDB turns a PIVOT that has to find its values first into two statements.
            raise GraceError(
                f"One SELECT is taken at a time, not {len(kinds)} statements.",
                "A PIVOT names its values: pivot ... on column in (...).",
                ExitCode.USAGE,
            )
        if kinds[0] != duckdb.StatementType.SELECT.name:
            raise GraceError(
                f"A snapshot is only read: {kinds[0]} is refused.",
                "Ask with SELECT; for a table of your own, take the rows along as CSV or JSON.",
                ExitCode.USAGE,
            )
        if found := _REFUSED.search(sql):
            raise GraceError(
                f"A snapshot is only read: {found[0]} is refused.",
                "It would change what other queries do.",
                ExitCode.USAGE,
            )
        return cursor.execute(statements[0], parameters)


@contextmanager
def open_snapshot(
    home: str | os.PathLike[str] | None = None, *, memory_limit: str = "2GB", threads: int = 2
) -> Iterator[Snapshot]:
    """Open the newest published snapshot and hold it until the block ends.

    Refreshes publish meanwhile and never wait for a reader, nor a reader for them. What is held is not deleted.

    Args:
        home: Directory of grace-dbt's state; default `GRACE_HOME`, else `./data`.
        memory_limit: How much memory its queries may take together; nothing is spilled to disk.
        threads: How many cores they may take together.

    Yields:
        The snapshot.

    Raises:
        GraceError: Nothing has been published yet, or what was is damaged or may not be read.
    """
    settings = Settings.load(home=home)
    published, hold = _held(settings)
    try:
        with _connection(published.snapshot_path, memory_limit, threads) as connection:
            yield Snapshot(published, connection)
    finally:
        os.close(hold)


def _held(settings: Settings) -> tuple[Published, int]:
    """The newest snapshot, and an open file that keeps it from being deleted for as long as the process lives."""
    for _ in range(ATTEMPTS):
        published = pointed_to(settings)
        if published is None:
            raise GraceError(
                f"No snapshot has been published under {settings.home} yet.",
                "Run: grace-dbt refresh",
            )
        path = published.snapshot_path
        try:
            hold = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # it was old by the time that the pointer was read
        except OSError as error:
            raise GraceError(
                f"The snapshot {path} can't be opened: {error.strerror}.",
                "Its readers need the right to read it and its directory.",
            ) from error
        try:
            fcntl.flock(hold, fcntl.LOCK_SH)
        except OSError as error:
            os.close(hold)
            raise GraceError(
                f"The snapshot {path} can't be held: {error.strerror}.",
                "Keep it on a file system that has locks.",
            ) from error
        if os.fstat(hold).st_nlink:
            return published, hold
        os.close(hold)  # it was deleted before it could be held
    raise GraceError(f"The published snapshot {path} is gone.", "Run: grace-dbt refresh")


@contextmanager
def _connection(path: str, memory_limit: str, threads: int) -> Iterator[DuckDBPyConnection]:
    """A connection in memory to which the snapshot is attached, and that nothing can be added to."""
    import duckdb

    try:
        connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "threads": threads,
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_persistent_secrets": False,
            }
        )
    except duckdb.Error as error:
        raise GraceError(
            _first_line(error), "E.g. memory_limit='2GB', threads=2.", ExitCode.USAGE
        ) from error
    with connection:
        try:
            connection.execute(f"attach {quoted(path)} as {ALIAS} (read_only)")
            connection.execute("set global TimeZone = 'UTC'")
            # Shuts off files, addresses and extensions, and variables of the calling Python as well.
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        except duckdb.Error as error:
            raise GraceError(
                f"The snapshot {path} can't be opened: {_first_line(error)}",
                "Run: grace-dbt refresh",
            ) from error
        yield connection


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
