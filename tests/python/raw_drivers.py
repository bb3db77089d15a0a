"""Each engine through its own driver, spoken to in one way. Nothing of the package is imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import duckdb
import psycopg2
import pymysql
from places import Place

Error = (sqlite3.Error, duckdb.Error, psycopg2.Error, pymysql.MySQLError)


class RawDatabase:
    """A connection on which every statement commits by itself.

    Attributes:
        dialect: sqlite, duckdb, postgres or mariadb.
    """

    def __init__(self, dialect: str, connection: Any) -> None:
        """Take over a connection of the driver."""
        self.dialect = dialect
        self._connection = connection

    @classmethod
    def in_memory(cls, dialect: str) -> RawDatabase:
        """An empty database of an engine without a server."""
        return cls._file(dialect, ":memory:")

    @classmethod
    def open(cls, place: Place) -> RawDatabase:
        """A connection that sets nothing."""
        if place.server:
            return cls(place.dialect, place.server.connect())
        return cls._file(place.dialect, str(place.path))

    @classmethod
    def _file(cls, dialect: str, path: str) -> RawDatabase:
        if dialect == "sqlite":
            return cls(dialect, sqlite3.connect(path, isolation_level=None))
        return cls(dialect, duckdb.connect(path))

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; names stand in double quotes, and values as question marks."""
        if self.dialect in ("sqlite", "duckdb"):
            rows: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
            return rows
        sql = sql.replace("?", "%s")
        if self.dialect == "mariadb":
            sql = sql.replace('"', "`")
        with self._connection.cursor() as cursor:
            cursor.execute(sql, tuple(values) or None)
            return list(cursor.fetchall()) if cursor.description else []

    def close(self) -> None:
        """Give it back."""
        self._connection.close()
