"""Two ways to fill one fact that keep nothing, compare nothing and publish nothing: what the cube is measured against.

Run: python benchmarks/baselines.py floor|loop OPERATIONAL_FILE RESULT_FILE. Nothing of the product is imported.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

HERE = Path(__file__).parent
REFERENCE = HERE.parent / "seeds" / "reference"
FACT = "fact_verification_executions"
COLUMNS = {
    "execution_key": "bigint", "time_key": "bigint", "mission_key": "bigint", "component_key": "bigint",
    "tier_key": "bigint", "actor_key": "bigint", "contract_id": "varchar", "action_type": "varchar",
    "playbook_id": "varchar", "mission_id": "varchar", "tier_code": "varchar", "snapshot_id": "varchar",
    "benchmark_run_id": "varchar", "duration_seconds": "double", "confidence_score": "double",
    "drift_score": "double", "was_successful": "boolean", "was_rolled_back": "boolean",
    "created_snapshot": "boolean", "passed_benchmark": "boolean", "drift_detected": "boolean",
    "contract_status": "varchar", "error_message": "varchar", "created_at": "timestamp",
    "executed_at": "timestamp", "verified_at": "timestamp",
}  # fmt: skip
FIRST_VERSION = "1900-01-01 00:00:00.000000"


def floor(operational: Path, result: Path) -> None:
    """The set-based way: one INSERT ... SELECT (floor.sql) over the attached file."""
    with duckdb.connect(str(result)) as connection:
        _load_sqlite(connection)
        connection.execute(f"attach '{operational}' as grace (type sqlite, read_only)")
        _create(connection)
        sql = (HERE / "floor.sql").read_text(encoding="utf-8")
        connection.execute(sql.replace("{reference}", str(REFERENCE)))


def loop(operational: Path, result: Path) -> None:
    """The way of the data cube walkthrough: for each contract one INSERT that looks its keys up in the dimensions."""
    with (
        closing(sqlite3.connect(f"file:{operational}?mode=ro", uri=True)) as source,
        duckdb.connect(str(result)) as cube,
    ):
        source.row_factory = sqlite3.Row
        _create(cube)
        _load_dimensions(source, cube)
        spellings = {row["prefix"]: row for row in _reference("actor_spellings.csv")}
        cube.execute("begin")
        insert = _insertion()
        for contract in source.execute("select * from action_contracts"):
            cube.execute(insert, _row(contract, spellings, source))
        cube.execute("commit")


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"create table {FACT} ({columns})")


def _load_sqlite(connection: duckdb.DuckDBPyConnection) -> None:
    [(version,)] = connection.execute("select library_version from pragma_version()").fetchall()
    wheel = resources.files("duckdb_extension_sqlite_scanner")
    connection.execute(
        f"load '{wheel / 'extensions' / version / 'sqlite_scanner.duckdb_extension'}'"
    )
    connection.execute("set global sqlite_all_varchar = true")


def _reference(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _key(*parts: str) -> int:
    """60 bits of the MD5 of the lengths and texts of a natural id."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def _load_dimensions(source: sqlite3.Connection, cube: duckdb.DuckDBPyConnection) -> None:
    tiers = [
        (row["tier_code"], _key(row["tier_code"], f"{row['policy_date']} 00:00:00.000000"))
        for row in _reference("tiers.csv")
    ]
    components = [
        (row["component_name"], _key(row["component_name"], FIRST_VERSION))
        for row in _reference("components.csv")
    ]
    missions = [
        (mission, _key(mission, FIRST_VERSION))
        for (mission,) in source.execute("select mission_id from mission_timelines").fetchall()
    ]
    for name, rows in (("tier", tiers), ("component", components), ("mission", missions)):
        cube.execute(f"create table dim_{name} (name varchar primary key, key bigint)")
        if rows:
            cube.executemany(f"insert into dim_{name} values (?, ?)", rows)
    # Without it each contract would read all benchmarks.
    source.execute("create temporary table newest (contract_id text primary key, run integer)")
    for number, named in source.execute(
        "select id, triggered_by from benchmark_runs where triggered_by is not null order by created_at, run_id"
    ).fetchall():
        contract = named.removeprefix("contract:")
        source.execute("insert or replace into newest values (?, ?)", (contract, number))


def _insertion() -> str:
    lookups = {
        "mission_key": "coalesce((select key from dim_mission where name = ?), -1)",
        "component_key": "coalesce((select key from dim_component where name = ?), -1)",
        "tier_key": "coalesce((select key from dim_tier where name = ?), -1)",
    }
    return f"insert into {FACT} select {', '.join(lookups.get(name, '?') for name in COLUMNS)}"


def _row(
    contract: sqlite3.Row, spellings: dict[str, dict[str, str]], source: sqlite3.Connection
) -> list[Any]:
    """One fact, with the names of mission, component and tier where their keys go."""
    asked, status, snapshot = (
        contract[name] for name in ("triggered_by", "status", "safe_hold_snapshot_id")
    )
    created, executed, verified = (
        datetime.fromisoformat(text) if (text := contract[name]) else None
        for name in ("created_at", "executed_at", "verified_at")
    )
    prefix, colon, rest = (asked or "").partition(":")
    spelling = spellings.get(prefix.lower())
    if spelling and not colon and spelling["names_actor"] == "1":
        spelling = None
    actor = asked
    if spelling and spelling["names_actor"] == "0":
        actor = spelling["prefix"]
    benchmark = source.execute(
        "select run_id, passed, drift_detected, delta_from_baseline from benchmark_runs"
        " where id = (select run from newest where contract_id = ?)",
        (contract["id"],),
    ).fetchone()
    run, passed, drifted, deltas = benchmark or (None, None, None, None)
    mission = rest if prefix.lower() == "mission" and colon else None
    row = {
        "execution_key": _key(contract["id"]),
        "time_key": int(created.strftime("%Y%m%d%H%M")) if created else -1,
        "mission_key": mission,
        "component_key": (spelling and spelling["component_name"]) or "action_executor",
        "tier_key": contract["tier"],
        "actor_key": _key(actor) if actor and actor != "unknown" else -1,
        "contract_id": contract["id"],
        "action_type": contract["action_type"],
        "playbook_id": contract["playbook_id"],
        "mission_id": mission,
        "tier_code": contract["tier"],
        "snapshot_id": snapshot,
        "benchmark_run_id": run,
        "duration_seconds": (verified - created).total_seconds() if created and verified else None,
        "confidence_score": contract["confidence_score"],
        "drift_score": max(map(abs, json.loads(deltas).values())) if deltas else None,
        "was_successful": status == "verified",
        "was_rolled_back": status == "rolled_back",
        "created_snapshot": snapshot is not None,
        "passed_benchmark": None if passed is None else bool(passed),
        "drift_detected": None if drifted is None else bool(drifted),
        "contract_status": status,
        "error_message": _error(contract["verification_result"]) or _error(contract["actual_effect"]),
        "created_at": created,
        "executed_at": executed,
        "verified_at": verified,
    }  # fmt: skip
    return [row[name] for name in COLUMNS]


def _error(document: str | None) -> str | None:
    error = json.loads(document).get("error") if document else None
    return None if error is None else str(error)


def fact_hash(path: str | Path) -> tuple[int, int]:
    """How many rows the fact has in a DuckDB file, and a hash of all their columns that no order changes.

    The number of distinct rows is not asked for: a row that is there twice counts twice, in both numbers.
    """
    texts = ", ".join(f"coalesce(cast({name} as varchar), chr(0))" for name in COLUMNS)
    with duckdb.connect(str(path), read_only=True) as connection:
        digits = f"left(md5(concat_ws(chr(1), {texts})), 15)"
        [(rows, total)] = connection.execute(
            f"select count(*), coalesce(sum(cast(cast('0x' || {digits} as bigint) as hugeint)), 0) from {FACT}"
        ).fetchall()
        found = {
            name: kind.lower()
            for name, kind in connection.execute(
                "select column_name, data_type from duckdb_columns() where table_name = ?", [FACT]
            ).fetchall()
        }
    if found != COLUMNS:
        raise SystemExit(f"{path}: {FACT} has the columns {found}, and not {COLUMNS}")
    return int(rows), int(total)


def require_equal(published: str | Path, baseline: Path) -> None:
    """Fail where a baseline did not produce the same rows as the cube.

    Raises:
        SystemExit: With both counts and hashes.
    """
    ours, theirs = fact_hash(published), fact_hash(baseline)
    if ours != theirs:
        raise SystemExit(
            f"{baseline.name} is not what was published (rows, hash): {theirs} and not {ours}; no time counts"
        )


WAYS: dict[str, Callable[[Path, Path], None]] = {"floor": floor, "loop": loop}

if __name__ == "__main__":
    way, operational_file, result_file = sys.argv[1:]
    WAYS[way](Path(operational_file), Path(result_file))
