"""The build file when it is damaged: tell, set it aside, and begin a new one with the history that was published."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from grace_dbt.errors import GraceError
from grace_dbt.operational.attach import quoted
from grace_dbt.publishing import MEMORY_LIMIT, flush, histories
from grace_dbt.settings import Settings


def damage_of(path: Path) -> str | None:
    """What is wrong with a DuckDB file, on one line; None when every row of every table can be read.

    DuckDB compares the checksum of each block as it reads it. Takes about 0.2 s a million rows.
    """
    import duckdb

    try:
        with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
            connection.execute(f"attach {quoted(path)} as looked_at (read_only)")
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
            ).fetchall()
            for schema, table in tables:
                connection.execute(
                    f'select bit_xor(hash(t)) from looked_at."{schema}"."{table}" as t'
                ).fetchall()
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None


def set_aside_build(settings: Settings) -> Path:
    """Move a damaged build file away, with its write-ahead log, so that the next refresh begins anew.

    Only the newest one is kept: it is for looking at, and may be as large as the cube.

    Args:
        settings: The installation; its lock must be held.

    Returns:
        Where it is now.

    Raises:
        GraceError: It can't be moved.
    """
    build = settings.build_file
    former = list(settings.home.glob("build.damaged-*"))
    aside = build.with_name(f"build.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.duckdb")
    try:
        build.replace(aside)
        log = _log_of(build)
        if log.exists():
            log.replace(_log_of(aside))
        for path in former:
            path.unlink()
    except OSError as error:
        raise GraceError(
            f"The damaged build file {build} can't be moved away: {error.strerror}.",
            f"Look at the rights under {settings.home}.",
        ) from error
    return aside


def restore_history(settings: Settings) -> str | None:
    """Begin a new build file that holds the history last published, and nothing else.

    Args:
        settings: The installation; its lock must be held, and its build file be gone.

    Returns:
        Name of the file that it came from. None where no published history can be read: there is no build file then.

    Raises:
        GraceError: The build file is still there, or a new one can't be written.
    """
    build = settings.build_file
    if build.exists():
        raise GraceError(f"The build file {build} is still there.", "Move it away first.")
    whole = (path for path in reversed(histories(settings.snapshots)) if damage_of(path) is None)
    source = next(whole, None)
    draft = build.with_name(f"{build.name}.draft")
    try:
        _log_of(build).unlink(missing_ok=True)  # it would be applied to what it does not belong to
        if source is None:
            return None
        shutil.copyfile(source, draft)
        flush(draft)
        draft.replace(build)
        flush(settings.home)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise GraceError(
            f"The history could not be restored from {source}: {error.strerror}.",
            f"Make room under {settings.home}.",
        ) from error
    return source.name


def _log_of(file: Path) -> Path:
    """The write-ahead log of a DuckDB file."""
    return file.with_name(f"{file.name}.wal")
