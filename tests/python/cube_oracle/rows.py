"""Single operational rows by hand: what has to be there, and what a test is about."""

from __future__ import annotations

import sqlite3
from typing import Any


def contract(key: str, **values: Any) -> dict[str, Any]:
    """An action contract that was verified after half a minute."""
    row = {
        "id": key, "action_type": "restart_service", "expected_effect_hash": "0" * 64, "expected_effect": "{}",
        "baseline_state": "{}", "status": "verified", "created_at": "2025-11-02 14:50:02", "tier": "tier_1",
        "verified_at": "2025-11-02 14:50:32", "triggered_by": "user:alice", "confidence_score": 0.9,
    }  # fmt: skip
    return row | values


def benchmark(run: str, by: str, **values: Any) -> dict[str, Any]:
    """A benchmark that passed."""
    row = {
        "run_id": run, "triggered_by": by, "benchmark_type": "smoke", "results": "{}", "metrics": "{}", "passed": 1,
        "duration_seconds": 1.0, "created_at": "2025-11-02 15:00:00",
        "delta_from_baseline": '{"latency": -0.25, "n": 0.1}',
    }  # fmt: skip
    return row | values


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row."""
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))
