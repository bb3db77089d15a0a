"""Published snapshots: immutable files of cube tables, and the pointer to the newest.

A snapshot is written beside its final name, flushed, checked and renamed; the pointer is swapped by a rename as well. A
reader that follows the pointer sees the old snapshot or the new one, whole, and never a build in progress.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT_SNAPSHOTS = 3


@dataclass(frozen=True)
class Published:
    """A published snapshot.

    Attributes:
        snapshot_path: The DuckDB file, absolute.
        built_at: When it was published, ISO 8601 in UTC.
        as_of: When its run began to read the operational database, ISO 8601 in UTC.
        rows: Row count of each table.
    """

    snapshot_path: str
    built_at: str
    as_of: str
    rows: dict[str, int]

    def lag_seconds(self, now: datetime | None = None) -> float:
        """Seconds since the operational database was read for this snapshot."""
        return ((now or datetime.now(UTC)) - datetime.fromisoformat(self.as_of)).total_seconds()


def current(settings: Settings) -> Published | None:
    """The newest published snapshot, None before the first.

    Raises:
        GraceError: The pointer or its snapshot is damaged.
    """
    pointer = settings.snapshots / "current.json"
    try:
        record = json.loads(pointer.read_text())
        path = settings.snapshots / record.pop("snapshot")
        published = Published(snapshot_path=str(path), **record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GraceError(
            f"The pointer {pointer} can't be read: {error}.", "Run: grace-dbt refresh"
        ) from error
    if not path.is_file():
        raise GraceError(f"The published snapshot {path} is gone.", "Run: grace-dbt refresh")
    return published


def publish(settings: Settings, as_of: datetime, tables: Iterable[str]) -> Published:
    """Copy cube tables of the build file into a new snapshot and make it the current one.

    Args:
        settings: The installation; its lock must be held.
        as_of: When the run began to read.
        tables: Which tables: a name that no model has any more stays behind.

    Returns:
        The new snapshot.

    Raises:
        GraceError: The disk is full, or the copy does not match the build; the former snapshot stays current.
    """
    settings.snapshots.mkdir(parents=True, exist_ok=True)
    number = 1 + max(
        (_number(path) for path in settings.snapshots.glob("snap-*.duckdb")), default=0
    )
    final = settings.snapshots / f"snap-{number:06d}.duckdb"
    draft = final.with_suffix(".draft")
    try:
        draft.unlink(missing_ok=True)
        rows = _copy_cube(settings.build_file, draft, tables)
        _flush(draft)
        draft.chmod(0o444)
        draft.rename(final)
        published = Published(
            snapshot_path=str(final),
            built_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            as_of=as_of.isoformat(timespec="milliseconds"),
            rows=rows,
        )
        _point_to(settings, published)
    except OSError as error:
        raise GraceError(
            f"The snapshot could not be written: {error.strerror or error}.",
            f"Make room under {settings.home}; the former snapshot is still served.",
        ) from error
    _drop_old(settings)
    return published


def _copy_cube(build: Path, draft: Path, tables: Iterable[str]) -> dict[str, int]:
    """Copy tables, without the columns that only the next run needs (named `_*`)."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute(f"attach {_quoted(build)} as build (read_only)")
            connection.execute(f"attach {_quoted(draft)} as snapshot")
            comments = dict(
                connection.execute(
                    "select table_name, comment from duckdb_tables()"
                    " where database_name = 'build' and schema_name = 'main'"
                ).fetchall()
            )
            rows = {}
            for table in sorted(tables):
                connection.execute(
                    f'create table snapshot.main."{table}" as'
                    f" select columns(name -> not starts_with(name, '_')) from build.main.\"{table}\""
                )
                _copy_comments(connection, table, comments[table])
                rows[table] = _count(connection, f'snapshot.main."{table}"')
                if rows[table] != _count(connection, f'build.main."{table}"'):
                    raise GraceError(
                        f"The copy of {table} lost rows.",
                        "Run: grace-dbt refresh --full",
                        ExitCode.BAD,
                    )
            connection.execute("detach snapshot")
    except duckdb.Error as error:
        raise GraceError(
            f"The snapshot could not be written: {str(error).splitlines()[0]}",
            "The former snapshot is still served.",
        ) from error
    if draft.with_suffix(".draft.wal").exists():
        raise GraceError("The snapshot was not flushed.", "Run: grace-dbt refresh", ExitCode.BAD)
    return rows


def _copy_comments(connection: DuckDBPyConnection, table: str, comment: str | None) -> None:
    columns = connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = 'build' and schema_name = 'main'"
        " and table_name = ? and comment is not null and not starts_with(column_name, '_')",
        [table],
    ).fetchall()
    target = f'snapshot.main."{table}"'
    if comment:
        connection.execute(f"comment on table {target} is {_quoted(comment)}")
    for column, text in columns:
        connection.execute(f'comment on column {target}."{column}" is {_quoted(text)}')


def _count(connection: DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("snap-")
    return int(digits) if digits.isdigit() else 0


def _flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _point_to(settings: Settings, published: Published) -> None:
    record = asdict(published)
    record["snapshot"] = Path(record.pop("snapshot_path")).name
    draft = settings.snapshots / "current.json.draft"
    draft.write_text(json.dumps(record, indent=2))
    _flush(draft)
    draft.replace(settings.snapshots / "current.json")
    _flush(settings.snapshots)


def _drop_old(settings: Settings) -> None:
    """Keep the newest snapshots; an open reader keeps its own file on systems that let it."""
    snapshots = sorted(settings.snapshots.glob("snap-*.duckdb"), key=_number)
    for path in snapshots[:-KEPT_SNAPSHOTS]:
        path.unlink(missing_ok=True)
