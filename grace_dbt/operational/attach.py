"""Attach an operational database to a DuckDB connection, read-only."""

from __future__ import annotations

from importlib import resources
from typing import Any

from grace_dbt.operational.url import OperationalUrl

ALIAS = "grace"


def attach_operational(connection: Any, url: str) -> None:
    """Attach the database of a URL as `grace`; SQLite is read as text, so that no value can stop a scan.

    Raises:
        GraceError: The URL is no good, or the file is missing.
    """
    database = OperationalUrl.parse(url)
    database.require_file()
    path = str(database.path).replace("'", "''")
    if database.dialect == "sqlite":
        load_sqlite_scanner(connection)
        connection.execute("set global sqlite_all_varchar = true")
        connection.execute(f"attach if not exists '{path}' as {ALIAS} (type sqlite, read_only)")
    else:
        connection.execute(f"attach if not exists '{path}' as {ALIAS} (read_only)")


def load_sqlite_scanner(connection: Any) -> None:
    """Load the extension from its wheel: no network, and nothing written to a home directory."""
    wheel = resources.files("duckdb_extension_sqlite_scanner")
    version = connection.execute("select library_version from pragma_version()").fetchone()[0]
    extension = wheel / "extensions" / version / "sqlite_scanner.duckdb_extension"
    connection.execute(f"load '{str(extension).replace(chr(39), chr(39) * 2)}'")
