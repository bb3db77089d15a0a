"""The sample of a real Grace deployment, as the same deployment would be on a server.

The fixture is SQLite, written by SQLAlchemy. Its tables are made anew with the types that SQLAlchemy gives them there,
and filled with the same rows. Nothing of the package is imported.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from places import Place

SAMPLE = Path(__file__).parents[1] / "fixtures" / "grace_sample.sqlite"
# Parents that the fixture refers to and does not have, which only SQLite allows.
PARENTS = ("governance_sessions", "governance_members")
_TYPES = {
    "postgres": {"DATETIME": "TIMESTAMP WITHOUT TIME ZONE", "FLOAT": "DOUBLE PRECISION"},
    "mariadb": {"BOOLEAN": "BOOL", "FLOAT": "DOUBLE"},
}
_SERIAL = {"postgres": "SERIAL", "mariadb": "INTEGER AUTO_INCREMENT"}


def load_grace_sample(place: Place) -> list[str]:
    """Make and fill the tables of the sample in an empty database; their names."""
    server, mark = place.server, place.mark
    assert server
    with closing(sqlite3.connect(SAMPLE)) as sample:
        tables = [name for (name,) in sample.execute("select name from sqlite_master")]
        tables = [name for name in tables if not name.startswith("sqlite_")]
        statements = [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)" for name in PARENTS]
        statements += [_create_table(sample, name, place) for name in tables]
        server.execute(*statements)
        with closing(server.connect()) as connection:
            cursor = connection.cursor()
            for table in tables:
                rows = sample.execute(f'select * from "{table}"').fetchall()
                names = [row[1] for row in _columns(sample, table)]
                if rows:
                    booleans = [row[2] == "BOOLEAN" for row in _columns(sample, table)]
                    cursor.executemany(
                        f"INSERT INTO {mark}{table}{mark}"
                        f" ({', '.join(f'{mark}{name}{mark}' for name in names)})"
                        f" VALUES ({', '.join(['%s'] * len(names))})",
                        [_typed(row, booleans) for row in rows],
                    )
    return tables


def _typed(row: tuple[Any, ...], booleans: list[bool]) -> list[Any]:
    return [
        bool(value) if boolean and value is not None else value
        for value, boolean in zip(row, booleans, strict=True)
    ]


def _columns(sample: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    return sample.execute("select * from pragma_table_info(?)", [table]).fetchall()


def _create_table(sample: sqlite3.Connection, table: str, place: Place) -> str:
    """The statement of the fixture in the words of a server."""
    [(sql,)] = sample.execute("select sql from sqlite_master where name = ?", [table])
    mark = place.mark
    lines = []
    for line in sql.splitlines()[1:-1]:
        name, _, rest = line.strip().rstrip(",").partition(" ")
        if name in ("PRIMARY", "UNIQUE", "FOREIGN"):
            lines.append(f"{name} {rest}")
        else:
            lines.append(f"{mark}{name}{mark} {_retyped(name, rest, place.dialect)}")
    return f"CREATE TABLE {mark}{table}{mark} ({', '.join(lines)})"


def _retyped(name: str, rest: str, dialect: str) -> str:
    """What stands behind the name of a column, with the type that SQLAlchemy gives it on a server."""
    if name == "id" and rest == "INTEGER NOT NULL":
        return f"{_SERIAL[dialect]} NOT NULL"
    for theirs, ours in _TYPES[dialect].items():
        rest = re.sub(rf"^{theirs}\b", ours, rest)
    return rest
