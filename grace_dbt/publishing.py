"""Published snapshots: immutable files of cube tables, and the pointer to the newest.

A snapshot is written beside its final name, flushed, checked and renamed; the pointer is swapped by a rename as well. A
reader that follows the pointer sees the old snapshot or the new one, whole, and never a build in progress. With each
snapshot go the definitions of its metrics, and a copy of the history that dbt keeps in the build, from which a lost
build is begun again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.attach import quoted
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT_SNAPSHOTS = 3
# Enough to copy tables of any length, which are written as they are read; more would only be filled with what was read.
MEMORY_LIMIT = "512MB"
POINTER = "current.json"
HISTORY_SCHEMA = "snapshots"

# Called with the open connection and the snapshot's file name; the draft is attached as `snapshot`.
Fill = Callable[["DuckDBPyConnection", str], None]


@dataclass(frozen=True)
class Published:
    """A published snapshot.

    Attributes:
        snapshot_path: The DuckDB file, absolute.
        built_at: When it was published, ISO 8601 in UTC.
        as_of: When its run began to read the operational database, ISO 8601 in UTC.
        rows: Row count of each table.
        run_id: Which run published it; None where the run had no name.
    """

    snapshot_path: str
    built_at: str
    as_of: str
    rows: dict[str, int]
    run_id: str | None = None

    def lag_seconds(self, now: datetime | None = None) -> float:
        """Seconds since the operational database was read for this snapshot."""
        return ((now or datetime.now(UTC)) - datetime.fromisoformat(self.as_of)).total_seconds()


def current(settings: Settings) -> Published | None:
    """The newest published snapshot, None before the first.

    Raises:
        GraceError: The pointer or its snapshot is damaged.
    """
    published = pointed_to(settings)
    if published is not None and not Path(published.snapshot_path).is_file():
        raise GraceError(
            f"The published snapshot {published.snapshot_path} is gone.", "Run: grace-dbt refresh"
        )
    return published


def pointed_to(settings: Settings) -> Published | None:
    """What the pointer says, without a look at the snapshot; None before the first.

    Raises:
        GraceError: The pointer is damaged.
    """
    pointer = settings.snapshots / POINTER
    try:
        record = json.loads(pointer.read_text())
        path = settings.snapshots / record.pop("snapshot")
        return Published(snapshot_path=str(path), **record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GraceError(
            f"The pointer {pointer} can't be read: {error}.", "Run: grace-dbt refresh"
        ) from error


def publish(
    settings: Settings,
    as_of: datetime,
    tables: Iterable[str],
    *,
    run_id: str | None = None,
    fill: Fill | None = None,
    metrics: str = "",
) -> Published:
    """Copy cube tables of the build file into a new snapshot and make it the current one.

    Args:
        settings: The installation; its lock must be held.
        as_of: When the run began to read.
        tables: Which tables: a name that no model has any more stays behind.
        run_id: Which run this is.
        fill: Writes rows of its own into the copied tables before the snapshot is flushed.
        metrics: Definitions of the metrics that are published with it, as JSON; empty for none.

    Returns:
        The new snapshot.

    Raises:
        GraceError: The disk is full, a right is missing, the build can't be read, or the copy does not match it; the
            former snapshot stays current. Or the disk refused the directory after the swap: the new one is current.
    """
    import duckdb

    folder = settings.snapshots
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _drop_drafts(folder)
        number = 1 + _last_number(settings)
        final, history = snapshot_file(folder, number), history_file(folder, number)
        with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
            connection.execute(f"set temp_directory = {quoted(folder / 'spilled.draft')}")
            connection.execute(f"attach {quoted(settings.build_file)} as build (read_only)")
            has_history = _write_history(connection, history)
            rows = _write_snapshot(connection, final, tables, fill)
        if has_history:
            _draft(history).rename(history)
        if metrics:
            _write_text(metrics_file(folder, number), metrics)
        _draft(final).rename(final)
        published = Published(
            snapshot_path=str(final),
            built_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            as_of=as_of.isoformat(timespec="milliseconds"),
            rows=rows,
            run_id=run_id,
        )
        _point_to(settings, published)
    except (OSError, duckdb.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise GraceError(
            f"The snapshot could not be written: {reason}",
            f"The former snapshot is still served. Look at room and rights under {settings.home}.",
        ) from error
    finally:
        with suppress(OSError):  # where it can't be written, it holds no draft either
            _drop_drafts(folder)
    _drop_old(folder)
    return published


def snapshot_file(folder: Path, number: int) -> Path:
    """Where the snapshot of this number is."""
    return folder / f"snap-{number:06d}.duckdb"


def history_file(folder: Path, number: int) -> Path:
    """Where the history that was published with the snapshot of this number is."""
    return folder / f"history-{number:06d}.duckdb"


def metrics_file(folder: Path, number: int) -> Path:
    """Where the definitions of metrics are that were published with the snapshot of this number."""
    return folder / f"metrics-{number:06d}.json"


def numbered(path: Path) -> int:
    """The number in the name of a snapshot or a history; 0 in any other."""
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def histories(folder: Path) -> list[Path]:
    """The published histories, oldest first."""
    return sorted(folder.glob("history-*.duckdb"), key=numbered)


def flush(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _last_number(settings: Settings) -> int:
    """The highest number that was ever given: a name that comes again could show an open reader other rows."""
    files = [*settings.snapshots.glob("snap-*.duckdb"), *histories(settings.snapshots)]
    with suppress(GraceError):  # a damaged pointer is mended by this very publication
        if published := pointed_to(settings):
            files.append(Path(published.snapshot_path))
    return max(map(numbered, files), default=0)


def _write_history(connection: DuckDBPyConnection, final: Path) -> bool:
    """Copy the tables in which dbt keeps history; False for a build without any."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'build' and schema_name = ? order by all",
        [HISTORY_SCHEMA],
    ).fetchall()
    if not tables:
        return False
    _attach_draft(connection, final, "history")
    connection.execute(f"create schema history.{HISTORY_SCHEMA}")
    rows = {
        (name := f'{HISTORY_SCHEMA}."{table}"'): _copy(connection, name, "history", "*")
        for (table,) in tables
    }
    # Of no use to a reader, and it holds what the cube may leave out.
    _finish(connection, final, "history", rows, mode=0o400)
    return True


def _write_snapshot(
    connection: DuckDBPyConnection, final: Path, tables: Iterable[str], fill: Fill | None
) -> dict[str, int]:
    """Copy cube tables, without the columns that only the next run needs (named `_*`); rows by table."""
    _attach_draft(connection, final, "snapshot")
    names = {table: f'main."{table}"' for table in sorted(tables)}
    rows = {
        name: _copy(connection, name, "snapshot", "columns(c -> not starts_with(c, '_'))")
        for name in names.values()
    }
    _copy_comments(connection, list(names))
    if fill is not None:
        fill(connection, final.name)
        rows = {name: _count(connection, f"snapshot.{name}") for name in rows}
    _finish(connection, final, "snapshot", rows, mode=0o444)
    return {table: rows[name] for table, name in names.items()}


def _draft(final: Path) -> Path:
    """Where a file is written before it gets its name."""
    return final.with_suffix(".draft")


def _attach_draft(connection: DuckDBPyConnection, final: Path, alias: str) -> None:
    """Begin a draft; half written it is worth nothing, so it needs no write-ahead log.

    The format is that of DuckDB 1.4, which writes quicker and smaller than the one that DuckDB takes by itself.
    """
    options = "recovery_mode 'no_wal_writes', storage_version 'v1.4.0'"
    connection.execute(f"attach {quoted(_draft(final))} as {alias} ({options})")


def _copy(connection: DuckDBPyConnection, name: str, alias: str, columns: str) -> int:
    """Copy a table of the build; its row count."""
    [(copied,)] = connection.execute(
        f"create table {alias}.{name} as select {columns} from build.{name}"
    ).fetchall()
    if copied != _count(connection, f"build.{name}"):
        raise GraceError(
            f"The copy of {name} lost rows.", "Run: grace-dbt refresh --full", ExitCode.BAD
        )
    return int(copied)


def _copy_comments(connection: DuckDBPyConnection, tables: list[str]) -> None:
    comments = connection.execute(
        """
        select table_name, null, comment from duckdb_tables()
        where database_name = 'build' and schema_name = 'main' and comment is not null
        union all
        select table_name, column_name, comment from duckdb_columns()
        where database_name = 'build' and schema_name = 'main' and comment is not null
            and not starts_with(column_name, '_')
        """
    ).fetchall()
    connection.execute("begin")  # hundreds of commits would take longer than the rows
    for table, column, text in comments:
        if table in tables:
            target = f'table snapshot.main."{table}"'
            if column:
                target = f'column snapshot.main."{table}"."{column}"'
            connection.execute(f"comment on {target} is {quoted(text)}")
    connection.execute("commit")


def _finish(
    connection: DuckDBPyConnection, final: Path, alias: str, rows: dict[str, int], *, mode: int
) -> None:
    """Bring a draft to the disk, and look at it as a reader would."""
    draft = _draft(final)
    # Detaching would do it as well, but does not say why it can't.
    connection.execute(f"checkpoint {alias}")
    connection.execute(f"detach {alias}")
    if draft.with_name(draft.name + ".wal").exists():
        raise GraceError("The snapshot was not flushed.", "Run: grace-dbt refresh", ExitCode.BAD)
    draft.chmod(mode)
    flush(draft)
    connection.execute(f"attach {quoted(draft)} as {alias} (read_only)")
    found = {name: _count(connection, f"{alias}.{name}") for name in rows}
    connection.execute(f"detach {alias}")
    if found != rows:
        raise GraceError(
            f"The draft {draft.name} does not hold what was written.",
            "Look at the disk; the former snapshot is still served.",
        )


def _count(connection: DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])


def _write_text(final: Path, text: str) -> None:
    """Write a small file beside its name, and bring it to the disk before it gets that."""
    draft = final.with_name(f"{final.name}.draft")
    draft.write_text(text)
    flush(draft)
    draft.replace(final)


def _point_to(settings: Settings, published: Published) -> None:
    record = asdict(published)
    record["snapshot"] = Path(record.pop("snapshot_path")).name
    flush(settings.snapshots)  # the file has its name before anything points to it
    _write_text(settings.snapshots / POINTER, json.dumps(record, indent=2))
    try:
        flush(settings.snapshots)
    except OSError as error:
        raise GraceError(
            f"The new snapshot is served, but after a power cut it may be the former one again: {error.strerror}",
            f"Look at the disk under {settings.home}; the next refresh publishes anew.",
        ) from error


def _drop_drafts(folder: Path) -> None:
    """Remove what this or a killed publisher has left half written."""
    for path in folder.glob("*.draft*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _drop_old(folder: Path) -> None:
    """Keep the newest snapshots, those that somebody reads, and the history of each that is kept."""
    snapshots = sorted(folder.glob("snap-*.duckdb"), key=numbered)
    for path in snapshots[:-KEPT_SNAPSHOTS]:
        _drop_unless_held(path)
    for path in [*histories(folder), *folder.glob("metrics-*.json")]:
        if not snapshot_file(folder, numbered(path)).exists():
            with suppress(OSError):
                path.unlink()


def _drop_unless_held(path: Path) -> None:
    """Remove a snapshot that no reader holds; what can't go now is tried again by the next publication."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(handle)
