"""The readers of stored text answer alike: SQL on DuckDB and PostgreSQL, and on SQLite with functions of ours."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from servers import Server

from grace_dbt import sqlite_functions
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings

DAYS = ("2025-11-02", "2024-02-29", "2025-02-29", "2025-13-01", "2025-1-2", "02.11.2025", "")
CLOCKS = (
    "", "T14:50", " 14:50:02", "T14:50:02.5", " 23:59:59.999999", "T00:00:00.123456789", " 24:00:00", " 14:50:60",
    " 14", "  14:50:02",
)  # fmt: skip
ZONES = (
    "",
    "Z",
    "z",
    " Z",
    "+02:00",
    "-0530",
    "+14",
    " +02:00",
    "+2",
    "+23:45",
    " UTC",
    " Europe/Berlin",
)
AROUND = ("{}", " {}", "{} ", "\t{}\n")
TIMES = [
    edge.format(day + clock + zone)
    for day, clock, zone, edge in itertools.product(DAYS, CLOCKS, ZONES, AROUND)
] + ["infinity", "epoch", "now", "0000-00-00 00:00:00", "1763118610", "2025-11-02 (BC)"]
NUMBERS = [
    "0", "-0", "1", "+1", " 1 ", "1.5", "1.", ".5", "1e5", "1E-5", "1e100", "-1e100", "1.1e100", "1.7e308",
    "1e400", "1e-400", "1e999999", "nan",
    "NaN", "inf", "-Infinity", "0x10",
    "1_000", "1,5", "", " ", "1 2", "--1", "\u0661", "9007199254740993", "0.30000000000000004", "999999999999999999",
    "9999999999999999999", "true",
]  # fmt: skip
TEXTS = [*NUMBERS, "Straße 7", "ÄÖ-x_9", "a" * 100, "日本 12", "\\x66FF", "\\x6"]


# Stored text -> whether it is JSON, its `error` as text, the largest of its top-level numbers.
JSONS: dict[str, tuple[bool, str | None, float | None]] = {
    '{"error": "timeout", "a": -3, "b": 2.5}': (True, "timeout", 3.0),
    '{"error": "Gr\\u00f6\\u00dfe \\"7\\""}': (True, 'Größe "7"', None),
    '{"error": {"code": 7, "why": "a b"}}': (True, '{"code":7,"why":"a b"}', None),
    '{"error": [1, {"x" : "y"}]}': (True, '[1,{"x":"y"}]', None),
    '{"error": null, "a": "9"}': (True, None, None),
    '{"error": true}': (True, "true", None),
    '{"error": 5}': (True, "5", 5.0),
    '{"error": "first", "error": "second"}': (True, "first", None),
    '{"nested": {"error": "x", "n": 9}, "n": 1e2}': (True, None, 100.0),
    ' {"error": " x "}\n': (True, " x ", None),
    '["error", 5]': (True, None, None),
    '"error"': (True, None, None),
    "12": (True, None, None),
    "null": (True, None, None),
    "": (False, None, None),
    "error": (False, None, None),
    '{"error": "x"': (False, None, None),
    '{"error": "x",}': (False, None, None),
    '{"error": NaN}': (False, None, None),
    '{"error": Infinity}': (False, None, None),
    "{'error': 'x'}": (False, None, None),
    '{"error": "a\tb"}': (False, None, None),
    '{"error": 01}': (False, None, None),
    '{"error": "x"} {}': (False, None, None),
    '{"error": "half \\ud83e"}': (False, None, None),
    '{"error": "\\ud83e\\udd86"}': (True, "🦆", None),
    '{"error": "\\\\ud83e"}': (True, "\\ud83e", None),
    '{"\\u0065rror": "spelled otherwise"}': (True, None, None),
    '{"a": 1e308, "b": -1e400, "n": 2}': (True, None, 2.0),
}  # fmt: skip
READERS = {
    "times": "parse_timestamp('x')",
    "reals": "read_real('x')",
    "integers": "read_integer('x')",
    "masks": "mask_text('x')",
    "bytes": "is_hex_of_bytes('x')",
    "keys": "surrogate_key(['x'])",
    "is_json": "is_json('x')",
    "json_text": "json_text('x', 'error')",
    "json_largest_number": "json_largest_number('x')",
    "json_minified": "json_minified('x')",
}

Ask = Callable[[str, list[str]], list[object]]


@pytest.fixture(scope="module", params=["duckdb", "postgres", "sqlite"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """What a reader makes of texts on an engine, by the SQL that its macro writes there."""
    home = tmp_path_factory.mktemp("readers")
    if request.param == "duckdb":
        yield on_duckdb(written_sql(home, "plan"))
        return
    if request.param == "sqlite":
        with contextlib.closing(sqlite3.connect(":memory:")) as lite:
            sqlite_functions.register(lite)
            yield on_sqlite(written_sql(home, "sqlite"), lite)
        return
    server: Server = request.getfixturevalue("postgres_server").create("readers")
    with pytest.MonkeyPatch.context() as patch, contextlib.closing(server.connect()) as connection:
        for name, value in server.libpq.items():
            patch.setenv(name, value)
        yield on_postgres(written_sql(home, "postgres"), connection.cursor())


def written_sql(home: Path, target: str) -> dict[str, str]:
    """The SQL of each reader, and the functions that it calls made in the database of the target."""
    settings = Settings(home, FileUrl("duckdb", home / "none"))
    made = run_dbt(["run-operation", "create_functions"], settings, target=target)
    assert made.success, made.errors
    mark = " /* next */ "
    line = mark.join("{{ " + call + " }}" for call in READERS.values())
    outcome = run_dbt(["compile", "--inline", line], settings, target=target)
    assert outcome.success, outcome.errors
    return dict(zip(READERS, outcome.nodes[0].node.compiled_code.split(mark), strict=True))


def on_duckdb(readers: dict[str, str]) -> Ask:
    def ask(reader: str, texts: list[str]) -> list[object]:
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            rows = connection.execute(
                f"select {readers[reader]} from (select unnest(?) as x, unnest(range(?)) as n) order by n",
                [texts, len(texts)],
            ).fetchall()
        return [row[0] for row in rows]

    return ask


def on_sqlite(readers: dict[str, str], connection: sqlite3.Connection) -> Ask:
    def ask(reader: str, texts: list[str]) -> list[object]:
        connection.execute("drop table if exists given")
        connection.execute("create table given (n integer primary key, x text)")
        connection.executemany("insert into given values (?, ?)", enumerate(texts))
        return [
            row[0] for row in connection.execute(f"select {readers[reader]} from given order by n")
        ]

    return ask


def on_postgres(readers: dict[str, str], cursor: Any) -> Ask:
    def ask(reader: str, texts: list[str]) -> list[object]:
        cursor.execute("drop table if exists given")
        cursor.execute("create temporary table given (x text, n integer)")
        cursor.execute(
            "insert into given select * from unnest(%s, %s)", [texts, [*range(len(texts))]]
        )
        cursor.execute(f"select {readers[reader]} from given order by n")
        return [row[0] for row in cursor.fetchall()]

    return ask


def test_times(ask: Ask) -> None:
    expected = [sqlite_functions.utc_timestamp(text) for text in TIMES]
    assert sum(e is not None for e in expected) > 300
    spelled = [
        f"{f:%Y-%m-%d %H:%M:%S.%f}" if isinstance(f, datetime) else f for f in ask("times", TIMES)
    ]
    assert [p for p in zip(TIMES, spelled, expected, strict=True) if p[1] != p[2]] == []


def key_of(text: str) -> int | None:
    return sqlite_functions.hash_key(f"{len(text)}:{text}")


@pytest.mark.parametrize(
    ("reader", "function", "texts"),
    [
        ("reals", sqlite_functions.try_real, NUMBERS),
        ("integers", sqlite_functions.try_integer, NUMBERS),
        ("masks", sqlite_functions.mask_text, TEXTS),
        ("bytes", sqlite_functions.is_hex_of_bytes, TEXTS),
        ("keys", key_of, TEXTS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values(ask: Ask, reader: str, function: Callable[[str], object], texts: list[str]) -> None:
    found = ask(reader, texts)
    assert [p for p in zip(texts, found, map(function, texts), strict=True) if p[1] != p[2]] == []


def test_json(ask: Ask) -> None:
    texts = [*JSONS]
    readers = ("is_json", "json_text", "json_largest_number")
    found = zip(*(ask(reader, texts) for reader in readers), strict=True)
    assert [p for p in zip(texts, found, JSONS.values(), strict=True) if p[1] != p[2]] == []


def test_json_without_white_space(ask: Ask) -> None:
    expected = {
        " [5, 25 ,\n50]": "[5,25,50]",
        '{"a b" : [ ], "c" :{"d": "e , f"} }': '{"a b":[],"c":{"d":"e , f"}}',
        '{"said": "\\" , \\\\" , "x": 1}': '{"said":"\\" , \\\\","x":1}',
        '""': '""',
        "five": None,
    }
    assert dict(zip(expected, ask("json_minified", [*expected]), strict=True)) == expected


def test_known_spellings() -> None:
    """What the walkthrough's databases hold, read by hand."""
    assert sqlite_functions.utc_timestamp("2025-11-02 14:50:02") == "2025-11-02 14:50:02.000000"
    assert (
        sqlite_functions.utc_timestamp("2025-11-14T11:10:10.357176+02:00")
        == "2025-11-14 09:10:10.357176"
    )
    assert (
        sqlite_functions.utc_timestamp("2025-11-14 00:30:00-0530") == "2025-11-14 06:00:00.000000"
    )
