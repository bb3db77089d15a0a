"""A dbt-duckdb plugin that attaches the operational database, read-only, as `grace`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from grace_dbt.build_state import note_dbt
from grace_dbt.operational.attach import attach_operational
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import BUILD_FILE


class Plugin(BasePlugin):
    """Runs once a connection; does nothing where no live database is configured."""

    def configure_connection(self, conn: Any) -> None:
        """Attach the database that GRACE_OPERATIONAL_URL names; a refresh is to know that dbt was here."""
        for _, _, path in conn.execute("pragma database_list").fetchall():
            if path and Path(path).name == BUILD_FILE:
                note_dbt(Path(path).parent)
        url = os.environ.get("GRACE_OPERATIONAL_URL", "")
        if url:
            attach_operational(conn, OperationalUrl.parse(url))

    def configure_cursor(self, cursor: Any) -> None:
        """Read and write times in UTC, whatever zone the machine is in."""
        cursor.execute("set TimeZone = 'UTC'")
