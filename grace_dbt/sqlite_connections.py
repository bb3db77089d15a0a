"""Make dbt-sqlite connections fit for this project: functions, pragmas, and transactions that wait their turn."""

from __future__ import annotations

from typing import Any

from dbt.plugins.manager import dbtPlugin


class SQLiteFunctions(dbtPlugin):
    """A dbt plugin that prepares every connection that the sqlite adapter opens."""

    def initialize(self) -> None:
        """Wrap the adapter's connection manager once; dbt calls this at the start of every command."""
        from dbt.adapters.sqlite import connections

        manager: Any = connections.SQLiteConnectionManager
        if getattr(manager, "prepared_for_grace", False):
            return
        manager.prepared_for_grace = True
        opened = manager.open

        def open_prepared(cls: type, connection: Any) -> Any:
            from grace_dbt.sqlite_functions import register

            already = connection.state == "open"
            connection = opened(connection)
            if not already:
                # Statements outside a transaction commit by themselves instead of opening one that nobody ends.
                connection.handle.isolation_level = None
                register(connection.handle)
            return connection

        def begin_at_once(self: Any) -> Any:
            # A deferred transaction that reads first can't wait for another writer: it fails when it turns to writing.
            return self.add_query("BEGIN IMMEDIATE", auto_begin=False)

        manager.open = classmethod(open_prepared)
        manager.add_begin_query = begin_at_once
