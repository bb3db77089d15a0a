"""What fact_verification_executions must hold, computed row by row from the operational tables in plain Python.

Written from the walkthrough and the documented rules; imports nothing of the product.
"""

from __future__ import annotations

import json
import math
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

POLICIES = {"tier_1", "tier_2", "tier_3"}
NAMING_PREFIXES = {
    "user": "human",
    "human": "human",
    "system": "system",
    "agent": "agent",
    "shard": "agent",
}
COMPONENT_PREFIXES = {
    "input_sentinel", "cognition", "mission", "hunter", "action_executor", "policy_engine", "shard_orchestrator",
}  # fmt: skip
Fact = dict[str, Any]


def moment(stored: Any) -> datetime | None:
    """A stored time as naive UTC; None where it can't be read or no Grace could have written it."""
    text = "" if stored is None else str(stored).strip()
    try:
        read = datetime.fromisoformat(text.replace("z", "Z"))
    except ValueError:
        return None
    if read.tzinfo is not None:
        read = read.astimezone(UTC).replace(tzinfo=None)
    newest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    return read if datetime(2015, 1, 1) <= read <= newest else None


def number(stored: Any) -> float | None:
    try:
        read = float(stored)
    except (TypeError, ValueError):
        return None
    return read if math.isfinite(read) else None


def words(stored: Any) -> str | None:
    return (str(stored).strip(" ") or None) if stored is not None else None


def actor(triggered_by: str | None) -> tuple[str, str]:
    """Id and type of who started an action."""
    if triggered_by in (None, "unknown"):
        return "unknown", "unknown"
    assert triggered_by is not None
    if triggered_by.lower() in COMPONENT_PREFIXES:
        return triggered_by.lower(), "component"
    prefix, colon, _ = triggered_by.partition(":")
    if colon and prefix.lower() in NAMING_PREFIXES:
        return triggered_by, NAMING_PREFIXES[prefix.lower()]
    if colon and prefix.lower() in COMPONENT_PREFIXES:
        return prefix.lower(), "component"
    return triggered_by, "unknown"


def error_of(row: sqlite3.Row) -> str | None:
    for column in ("verification_result", "actual_effect"):
        try:
            found = json.loads(row[column] or "")
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("error") is not None:
            return str(found["error"])
    return None


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is Python's, not JSON's")


def newest_benchmarks(rows: list[sqlite3.Row]) -> dict[str, sqlite3.Row]:
    newest: dict[str, sqlite3.Row] = {}
    for row in sorted(rows, key=lambda r: (moment(r["created_at"]) or datetime.min, r["run_id"])):
        asked = words(row["triggered_by"]) or ""
        newest[asked.removeprefix("contract:")] = row
    return newest


def drift(row: sqlite3.Row | None) -> float | None:
    if row is None or row["delta_from_baseline"] is None:
        return None
    try:
        deltas = json.loads(row["delta_from_baseline"], parse_constant=_no_json)
    except ValueError:
        return None
    numbers = [
        abs(v) for v in deltas.values() if isinstance(v, (int, float)) and not isinstance(v, bool)
    ]
    return max(numbers, default=None)


def expected_facts(database: Path) -> dict[str, Fact]:
    """Every fact by contract id."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    benchmarks = newest_benchmarks(connection.execute("select * from benchmark_runs").fetchall())
    facts = {}
    for row in connection.execute("select * from action_contracts"):
        created, verified = moment(row["created_at"]), moment(row["verified_at"])
        benchmark = benchmarks.get(row["id"])
        status = words(row["status"])
        facts[row["id"]] = {
            "minute": created.replace(second=0, microsecond=0) if created else None,
            "tier_code": row["tier"] if words(row["tier"]) in POLICIES else "unknown",
            "actor": actor(words(row["triggered_by"])),
            "mission_key": -1,
            "component_key": -1,
            "action_type": words(row["action_type"]),
            "playbook_id": words(row["playbook_id"]),
            "duration_seconds": (verified - created) / timedelta(seconds=1)
            if created and verified
            else None,
            "confidence_score": number(row["confidence_score"]),
            "drift_score": drift(benchmark),
            "was_successful": status == "verified",
            "was_rolled_back": status == "rolled_back",
            "created_snapshot": words(row["safe_hold_snapshot_id"]) is not None,
            "passed_benchmark": None if benchmark is None else bool(benchmark["passed"]),
            "contract_status": status,
            "error_message": error_of(row),
            "created_at": created,
        }
    connection.close()
    return facts
