"""A dbt-duckdb plugin: the operational database, read-only, as `grace`, and a function that reads audit entries."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from grace_dbt.audit.formats import stored_content_hash
from grace_dbt.build_state import note_dbt
from grace_dbt.operational.attach import attach_operational
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import BUILD_FILE


class _NoPandas:
    """Says at once that pandas is not there.

    For each call of a function in Python DuckDB asks whether it is, and Python would look for it in all its folders
    each time. A mere None in its place is read as a pandas without a version by pyarrow.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Refuse pandas, and leave all else to others."""
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=name)


if find_spec("pandas") is None:
    sys.meta_path.insert(0, _NoPandas)


class Plugin(BasePlugin):
    """Runs once a connection; attaches nothing where no live database is configured."""

    def configure_connection(self, conn: Any) -> None:
        """Attach the database that GRACE_OPERATIONAL_URL names; a refresh is to know that dbt was here."""
        for _, _, path in conn.execute("pragma database_list").fetchall():
            if path and Path(path).name == BUILD_FILE:
                note_dbt(Path(path).parent)
        conn.create_function(
            stored_content_hash.__name__,
            stored_content_hash,
            ["VARCHAR"] * 5,
            "VARCHAR",
            null_handling="special",
        )
        url = os.environ.get("GRACE_OPERATIONAL_URL", "")
        if url:
            attach_operational(conn, OperationalUrl.parse(url))

    def configure_cursor(self, cursor: Any) -> None:
        """Read and write times in UTC, whatever zone the machine is in."""
        cursor.execute("set TimeZone = 'UTC'")
