"""The operational rows of a SQLite file in a PostgreSQL: a column whose type can't hold them becomes one of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cube_oracle import reading
from cube_oracle.source import KEYS, land
from servers import Server

# What the text of a value has to be for a type; text holds everything.
_HOLDS: dict[str, Callable[[str], bool]] = {
    "timestamp with time zone": lambda text: reading.instant(text) is not None,
    "bigint": lambda text: reading.integer(text) is not None,
    "integer": lambda text: reading.integer(text) is not None,
    "double precision": lambda text: reading.number(text) is not None,
    "boolean": lambda text: text in ("0", "1"),
    "json": lambda text: reading.document(text)[0],
    "jsonb": lambda text: reading.document(text)[0],
    "text": lambda _: True,
}
_COLUMNS = """
    select column_name, data_type from information_schema.columns
    where table_schema = 'public' and table_name = %s order by ordinal_position
"""
# A column that another one refers to can't change its type.
_REFERENCES = """
    select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
    where contype = 'f' and connamespace = 'public'::regnamespace
"""


def copy(database: Path, server: Server) -> None:
    """Copy the landed tables into those of the same names, whose columns may all be empty from then on."""
    with closing(server.connect()) as connection:
        cursor = connection.cursor()
        # Times without a zone are in UTC.
        cursor.execute("set time zone 'UTC'")
        cursor.execute(_REFERENCES)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        for table, rows in land(database).items():
            cursor.execute(_COLUMNS, [table])
            types = {}
            for name, kind in cursor.fetchall():
                change = f'alter table "{table}" alter column "{name}"'
                if name != KEYS[table]:
                    cursor.execute(f"{change} drop not null")
                if not rows or name not in rows[0]:
                    continue
                types[name] = kind
                if not all(row[name] is None or _HOLDS[kind](row[name] or "") for row in rows):
                    cursor.execute(f"{change} drop default")
                    cursor.execute(f"{change} type text")
            text = io.StringIO()
            csv.writer(text).writerows(
                [r"\N" if row[name] is None else row[name] for name in types] for row in rows
            )
            text.seek(0)
            if rows:
                names = ", ".join(f'"{name}"' for name in types)
                cursor.copy_expert(
                    f"copy \"{table}\" ({names}) from stdin (format csv, null '\\N')", text
                )
