"""Places for an operational database, on every engine, and what a test does to them behind the product's back.

Nothing of the package is imported.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from servers import Server


@dataclass(frozen=True)
class Place:
    """A database, or where one may be made.

    Attributes:
        dialect: sqlite, duckdb, postgres or mariadb.
        path: The file; None on a server.
        server: The database on its server; None for a file.
    """

    dialect: str
    path: Path | None = None
    server: Server | None = None

    @property
    def url(self) -> str:
        """As a user would write it, with the password."""
        return self.server.url if self.server else self.shown

    @property
    def shown(self) -> str:
        """As the product may print it."""
        return self.server.plain_url if self.server else f"{self.dialect}:///{self.path}"

    @property
    def mark(self) -> str:
        """What stands around a name."""
        return "`" if self.dialect == "mariadb" else '"'

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, each committed by itself; the rows of the last one."""
        if self.server:
            return self.server.execute(*statements)
        assert self.path
        rows: list[tuple[Any, ...]] = []
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self.path, isolation_level=None)) as lite:
                for sql in statements:
                    rows = lite.execute(sql).fetchall()
            return rows
        with duckdb.connect(self.path) as duck:
            for sql in statements:
                rows = duck.execute(sql).fetchall()
        return rows

    @staticmethod
    def statements(script: str) -> list[str]:
        """The statements of a script of grace-dbt, which stand apart by empty lines."""
        return script.strip().removesuffix(";").split(";\n\n")

    def run_script(self, script: str) -> None:
        """Run a script of grace-dbt on one connection."""
        if self.dialect == "sqlite":
            assert self.path
            with closing(sqlite3.connect(self.path)) as lite:
                lite.executescript(script)
        else:
            self.run(*self.statements(script))

    def catalogue(self) -> list[tuple[Any, ...]]:
        """All that makes two databases the same, as the engine keeps it: kind, table, name, words."""
        if self.dialect != "mariadb":
            return self.run(_CATALOGUE[self.dialect])
        tables = self.run(
            "select table_name from information_schema.tables"
            " where table_schema = database() and table_type = 'BASE TABLE' order by 1"
        )
        # The next automatic number is no part of a definition.
        found: list[tuple[Any, ...]] = [
            ("table", table, table, re.sub(r" AUTO_INCREMENT=\d+", "", words))
            for (table,) in tables
            for _, words in self.run(f"show create table `{table}`")
        ]
        return found + self.run(
            "select 'trigger', event_object_table, trigger_name,"
            " concat_ws(' ', action_timing, event_manipulation, action_statement)"
            " from information_schema.triggers where trigger_schema = database() order by 3"
        )


_CATALOGUE = {
    "sqlite": "select type, tbl_name, name, sql from sqlite_master order by 1, 2, 3",
    "duckdb": """
        select 'table', table_name, table_name, sql from duckdb_tables()
        union all select 'index', table_name, index_name, sql from duckdb_indexes() order by 1, 2, 3
    """,
    "postgres": """
        select 'column', table_name::text, column_name::text, concat_ws(' ',
            ordinal_position, data_type, is_nullable, is_identity, column_default)
        from information_schema.columns where table_schema = 'public'
        union all select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace
        union all select 'index', tablename, indexname, indexdef
        from pg_indexes where schemaname = 'public'
        union all select 'trigger', tgrelid::regclass::text, tgname,
            tgenabled::text || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        union all select 'function', '', proname, prosrc
        from pg_proc where pronamespace = 'public'::regnamespace
        union all select 'comment', relname, '', coalesce(obj_description(oid, 'pg_class'), '')
        from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        order by 1, 2, 3, 4
    """,
}
