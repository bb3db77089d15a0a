"""Attach an operational database to a DuckDB connection, read-only."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from grace_dbt.errors import GraceError
from grace_dbt.operational.backend import CONNECT_SECONDS, WAIT_SECONDS
from grace_dbt.operational.url import FileUrl, OperationalUrl, ServerUrl

if TYPE_CHECKING:
    import duckdb

ALIAS = "grace"


def attach_operational(connection: duckdb.DuckDBPyConnection, database: OperationalUrl) -> None:
    """Attach a database as `grace`.

    Raises:
        GraceError: The file is missing, or the server refuses.
    """
    database.require_present()
    if isinstance(database, ServerUrl):
        _attach_server(connection, database)
    elif isinstance(database, FileUrl):
        _attach_file(connection, database)


def _attach_file(connection: duckdb.DuckDBPyConnection, url: FileUrl) -> None:
    """SQLite is read as text: no value can stop a scan."""
    path = quoted(str(url.path))
    if url.dialect == "sqlite":
        load_scanner(connection, "sqlite")
        connection.execute("set global sqlite_all_varchar = true")
        wait = round(WAIT_SECONDS * 1000)
        connection.execute(
            f"attach if not exists {path} as {ALIAS} (type sqlite, read_only, busy_timeout {wait})"
        )
    else:
        connection.execute(f"attach if not exists {path} as {ALIAS} (read_only)")


def _attach_server(connection: duckdb.DuckDBPyConnection, url: ServerUrl) -> None:
    """What identifies and authorises goes into a secret: a failed ATTACH prints its own text."""
    import duckdb

    load_scanner(connection, url.dialect)
    secret = {"database": url.database, "user": url.user, "password": url.password}
    words = ""
    if url.dialect == "postgres":
        secret["host"] = url.host
        options = {
            **dict(url.tls),
            "connect_timeout": str(CONNECT_SECONDS),
            "options": f"-c lock_timeout={WAIT_SECONDS:.0f}s",
        }
        words = " ".join(f"{name}={_escaped(value)}" for name, value in options.items())
    else:
        # A time of type TIMESTAMP is told in the zone of the session; a large table takes its time.
        connection.execute("set global mysql_session_time_zone = '+00:00'")
        connection.execute("set global mysql_query_timeout_enabled = false")
        secret["socket" if url.host.startswith("/") else "host"] = url.host
        secret |= dict(url.tls)
    given = [f"{name} {quoted(value)}" for name, value in secret.items() if value is not None]
    try:
        connection.execute(
            f"create or replace temporary secret {ALIAS}_operational"
            f" (type {url.dialect}, port {url.port}, {', '.join(given)})"
        )
        connection.execute(
            f"attach if not exists {quoted(words)} as {ALIAS}"
            f" (type {url.dialect}, secret {ALIAS}_operational, read_only)"
        )
    except duckdb.Error as error:
        raise GraceError(
            f"{url} can't be reached: {_reason(str(error), url)}.",
            "Check the host, the user, the rights and GRACE_OPERATIONAL_PASSWORD.",
        ) from None


def _reason(text: str, url: ServerUrl) -> str:
    """The end of the scanner's message, on one line; the password is not in it, and if so goes."""
    reason = " ".join(text.split()).rpartition('": ')[2].rstrip(".")
    for secret in (url.password, (url.password or "").replace("'", "''")):
        reason = reason.replace(secret, "***") if secret else reason
    return reason


def load_scanner(connection: duckdb.DuckDBPyConnection, engine: str) -> None:
    """Load an extension from its wheel: no network, and nothing written to a home directory."""
    name = f"{engine}_scanner"
    wheel = resources.files(f"duckdb_extension_{name}")
    [(version,)] = connection.execute("select library_version from pragma_version()").fetchall()
    extension = wheel / "extensions" / version / f"{name}.duckdb_extension"
    connection.execute(f"load {quoted(str(extension))}")


def _escaped(value: str) -> str:
    """A value in a connection string of libpq."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def quoted(text: object) -> str:
    """A text or a path as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"
