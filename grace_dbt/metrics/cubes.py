"""Where metrics are asked: a published snapshot, or the schema `cube` of a PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import Catalogue
from grace_dbt.metrics.checks import sound_definitions
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.metrics.prepared import Dialect, for_psycopg
from grace_dbt.metrics.request import MOST_ROWS
from grace_dbt.publishing import POINTER, metrics_file, numbered
from grace_dbt.reading import Snapshot, open_snapshot
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

Rows = list[tuple[Any, ...]]
# Seconds after which one query is stopped.
TIMEOUT = 60.0
# What was published with a snapshot never changes.
_of_snapshots: WeakKeyDictionary[Snapshot, Catalogue] = WeakKeyDictionary()


class Cube(Protocol):
    """What metrics are computed from: every query of one cube sees the same rows."""

    @property
    def dialect(self) -> Dialect:
        """In whose SQL it is asked."""

    @property
    def catalogue(self) -> Catalogue:
        """Its metrics."""

    @property
    def name(self) -> str:
        """How the answer names it."""

    @property
    def as_of(self) -> datetime:
        """When the operational database was read for it, in UTC."""

    def fetch(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], Rows]:
        """Names of the columns, and the rows."""


@dataclass(frozen=True)
class SnapshotCube:
    """A published snapshot, with the definitions that were published with it."""

    snapshot: Snapshot
    catalogue: Catalogue
    dialect: Dialect = "duckdb"

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotCube:
        """A snapshot that somebody holds.

        Raises:
            GraceError: No metrics were published with it.
        """
        catalogue = _of_snapshots.get(snapshot)
        if catalogue is None:
            file = metrics_file(snapshot.path.parent, numbered(snapshot.path))
            catalogue = _of_snapshots[snapshot] = _published_catalogue(file)
        return cls(snapshot, catalogue)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.snapshot.path.name

    @property
    def as_of(self) -> datetime:
        """As the snapshot says."""
        return self.snapshot.as_of

    def fetch(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], Rows]:
        """Ask the snapshot.

        Raises:
            GraceError: The answer is too long (exit code 2), takes too long, or a definition is wrong (1).
        """
        try:
            answer = self.snapshot.answer(sql, parameters, limit=MOST_ROWS, timeout=TIMEOUT)
        except GraceError as error:
            if error.exit_code != ExitCode.USAGE:
                raise
            # Nobody wrote this SQL: what is wrong with it is wrong with a definition.
            raise GraceError(
                error.message, "Run: grace-dbt metrics validate", ExitCode.BAD
            ) from error
        _bounded(answer.truncated)
        return answer.columns, answer.rows


@dataclass(frozen=True)
class PostgresCube:
    """The cube that the target `postgres` built, read in one transaction."""

    connection: Connection
    catalogue: Catalogue
    as_of: datetime
    name: str = "postgres"
    dialect: Dialect = "postgres"

    def fetch(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], Rows]:
        """Ask the database.

        Raises:
            GraceError: The answer is too long (exit code 2), takes too long (1), or the database refuses.
        """
        import psycopg2.errors

        try:
            with self.connection.cursor() as cursor:
                cursor.execute(for_psycopg(sql), dict(parameters))
                rows = cursor.fetchmany(MOST_ROWS + 1)
                columns = [column.name for column in cursor.description or ()]
        except psycopg2.errors.QueryCanceled as error:
            raise GraceError(
                f"The query was stopped after {TIMEOUT:g} s.",
                "Ask for less: a shorter window or fewer slices.",
                ExitCode.BAD,
            ) from error
        except psycopg2.Error as error:
            raise GraceError(
                f"PostgreSQL can't answer: {str(error).splitlines()[0]}",
                "Build the cube there: grace-dbt build --target postgres",
            ) from error
        _bounded(len(rows) > MOST_ROWS)
        return columns, rows


@contextmanager
def newest_snapshot(settings: Settings) -> Iterator[SnapshotCube]:
    """The newest published snapshot, kept open between questions until there is a newer one."""
    with _reader_of(settings).hold() as cube:
        yield cube


@contextmanager
def postgres_cube(settings: Settings) -> Iterator[PostgresCube]:
    """The cube in the PostgreSQL that the settings name, as it is at this moment.

    Raises:
        GraceError: The settings name no PostgreSQL, it can't be reached, or has no cube.
    """
    import psycopg2

    from grace_dbt.operational.postgres import PostgresBackend
    from grace_dbt.operational.url import ServerUrl

    url = settings.operational
    if not isinstance(url, ServerUrl) or url.dialect != "postgres":
        raise GraceError(
            "The target postgres needs a PostgreSQL.",
            "Name it: GRACE_OPERATIONAL_URL=postgresql://...",
            ExitCode.USAGE,
        )
    with PostgresBackend.reading_at_once(url) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute("select max(run_at) from cube.cube_source_changes")
                found = cursor.fetchone()
                cursor.execute("set statement_timeout = %s", [round(TIMEOUT * 1000)])
        except psycopg2.Error as error:
            raise GraceError(
                f"There is no cube in {url}: {str(error).splitlines()[0]}",
                "Build it there: grace-dbt build --target postgres",
            ) from error
        if found is None or found[0] is None:
            raise GraceError("The cube is empty.", "Build it: grace-dbt build --target postgres")
        yield PostgresCube(connection, project_catalogue(settings), found[0].replace(tzinfo=UTC))


def project_catalogue(settings: Settings) -> Catalogue:
    """The metrics of the files as they stand, those that do not hold left out."""
    return Catalogue(sound_definitions(settings)[0])


class _Reader:
    """The newest snapshot of one installation, shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.current: _Held | None = None

    @contextmanager
    def hold(self) -> Iterator[SnapshotCube]:
        """The newest snapshot; it stays open for as long as the block lasts."""
        with self.lock:
            mark = _mark(self.settings)
            if self.current is None or self.current.mark != mark:
                former, self.current = self.current, None
                if former is not None:
                    former.leave()
                self.current = _Held.open(self.settings, mark)
            held = self.current
            held.users += 1
        try:
            yield held.cube
        finally:
            with self.lock:
                held.leave()


@dataclass
class _Held:
    """An open snapshot, and how many stand on it: those who ask, and the reader itself."""

    cube: SnapshotCube
    mark: tuple[int, ...] | None
    stack: ExitStack
    users: int = 1

    @classmethod
    def open(cls, settings: Settings, mark: tuple[int, ...] | None) -> _Held:
        with ExitStack() as stack:
            cube = SnapshotCube.of(stack.enter_context(open_snapshot(settings.home)))
            return cls(cube, mark, stack.pop_all())

    def leave(self) -> None:
        self.users -= 1
        if not self.users:
            self.stack.close()


_readers: dict[Path, _Reader] = {}
_readers_lock = threading.Lock()


def _reader_of(settings: Settings) -> _Reader:
    with _readers_lock:
        return _readers.setdefault(settings.home, _Reader(settings))


def _mark(settings: Settings) -> tuple[int, ...] | None:
    """Changes with the pointer to the newest snapshot."""
    try:
        status = (settings.snapshots / POINTER).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _published_catalogue(file: Path) -> Catalogue:
    """The metrics that were published with a snapshot; of the last ones they are kept."""
    try:
        status = file.stat()
        return _catalogue_in(file, (status.st_ino, status.st_mtime_ns, status.st_size))
    except FileNotFoundError:
        raise GraceError(
            "No metrics were published with the snapshot.", "Run: grace-dbt refresh"
        ) from None
    except (OSError, ValueError, json.JSONDecodeError) as error:
        raise GraceError(
            f"The metrics in {file} can't be read: {error}", "Run: grace-dbt refresh"
        ) from error


@lru_cache(maxsize=4)
def _catalogue_in(file: Path, mark: tuple[int, ...]) -> Catalogue:
    catalogue = Catalogue(Definitions.from_json(file.read_text()))
    try:
        _ = catalogue.metrics  # put together here and once: what is no definition shows
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no definitions: {error!r}") from error
    return catalogue


def _bounded(is_truncated: bool) -> None:
    if is_truncated:
        raise GraceError(
            f"The answer has more than {MOST_ROWS:,} rows.",
            "Ask for a coarser grain, fewer slices or a shorter window.",
            ExitCode.USAGE,
        )
