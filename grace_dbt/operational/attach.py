"""Attach an operational database to a DuckDB connection, read-only."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from grace_dbt.operational.backend import WAIT_SECONDS
from grace_dbt.operational.url import OperationalUrl

if TYPE_CHECKING:
    import duckdb

ALIAS = "grace"


def attach_operational(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """Attach the database of a URL as `grace`; SQLite is read as text: no value can stop a scan.

    Raises:
        GraceError: The URL is no good, or the file is missing.
    """
    database = OperationalUrl.parse(url)
    database.require_present()
    path = str(database.path).replace("'", "''")
    if database.dialect == "sqlite":
        load_sqlite_scanner(connection)
        connection.execute("set global sqlite_all_varchar = true")
        wait = round(WAIT_SECONDS * 1000)
        connection.execute(
            f"attach if not exists '{path}' as {ALIAS} (type sqlite, read_only, busy_timeout {wait})"
        )
    else:
        connection.execute(f"attach if not exists '{path}' as {ALIAS} (read_only)")


def load_sqlite_scanner(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its wheel: no network, and nothing written to a home directory."""
    wheel = resources.files("duckdb_extension_sqlite_scanner")
    [(version,)] = connection.execute("select library_version from pragma_version()").fetchall()
    extension = wheel / "extensions" / version / "sqlite_scanner.duckdb_extension"
    connection.execute(f"load '{str(extension).replace(chr(39), chr(39) * 2)}'")
