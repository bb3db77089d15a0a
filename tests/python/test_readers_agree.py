"""The readers of stored text answer alike on both engines: SQL on DuckDB, registered functions on SQLite."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from grace_dbt import sqlite_functions
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings

DAYS = ("2025-11-02", "2024-02-29", "2025-02-29", "2025-13-01", "2025-1-2", "02.11.2025", "")
CLOCKS = (
    "", "T14:50", " 14:50:02", "T14:50:02.5", " 23:59:59.999999", "T00:00:00.123456789", " 24:00:00", " 14:50:60",
    " 14", "  14:50:02",
)  # fmt: skip
ZONES = ("", "Z", "z", " Z", "+02:00", "-0530", "+14", " +02:00", "+2", " UTC", " Europe/Berlin")
AROUND = ("{}", " {}", "{} ", "\t{}\n")
TIMES = [
    edge.format(day + clock + zone)
    for day, clock, zone, edge in itertools.product(DAYS, CLOCKS, ZONES, AROUND)
] + ["infinity", "epoch", "now", "0000-00-00 00:00:00", "1763118610", "2025-11-02 (BC)"]
NUMBERS = [
    "0", "-0", "1", "+1", " 1 ", "1.5", "1.", ".5", "1e5", "1E-5", "1e400", "nan", "NaN", "inf", "-Infinity", "0x10",
    "1_000", "1,5", "", " ", "1 2", "--1", "\u0661", "9007199254740993", "0.30000000000000004", "999999999999999999",
    "9999999999999999999", "true",
]  # fmt: skip
TEXTS = [*NUMBERS, "Straße 7", "ÄÖ-x_9", "a" * 100, "日本 12", "\\x66FF", "\\x6"]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL that the macros write for DuckDB, by reader."""
    names = ("parse_timestamp", "read_real", "read_integer", "mask_text", "is_hex_of_bytes")
    home = tmp_path_factory.mktemp("readers")
    settings = Settings(home, FileUrl("duckdb", home / "none"))
    line = " /* next */ ".join("{{ " + name + "('x') }}" for name in names)
    outcome = run_dbt(["compile", "--inline", line], settings, target="plan")
    assert outcome.success, outcome.errors
    parts = outcome.nodes[0].node.compiled_code.split(" /* next */ ")
    return dict(zip(names, parts, strict=True))


def on_duckdb(reader: str, texts: list[str]) -> list[object]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"select {reader} from (select unnest(?) as x, unnest(range(?)) as n) order by n",
            [texts, len(texts)],
        ).fetchall()
    return [row[0] for row in rows]


def test_times(readers: dict[str, str]) -> None:
    found = on_duckdb(readers["parse_timestamp"], TIMES)
    expected = [sqlite_functions.utc_timestamp(text) for text in TIMES]
    spelled = [f and f"{f:%Y-%m-%d %H:%M:%S.%f}" for f in found]
    assert sum(e is not None for e in expected) > 300
    assert [p for p in zip(TIMES, spelled, expected, strict=True) if p[1] != p[2]] == []


@pytest.mark.parametrize(
    ("reader", "function", "texts"),
    [
        ("read_real", sqlite_functions.try_real, NUMBERS),
        ("read_integer", sqlite_functions.try_integer, NUMBERS),
        ("mask_text", sqlite_functions.mask_text, TEXTS),
        ("is_hex_of_bytes", sqlite_functions.is_hex_of_bytes, TEXTS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values(readers: dict[str, str], reader: str, function: object, texts: list[str]) -> None:
    assert callable(function)
    found = on_duckdb(readers[reader], texts)
    assert [p for p in zip(texts, found, map(function, texts), strict=True) if p[1] != p[2]] == []


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
