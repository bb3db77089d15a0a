"""Operational rows of every tier, of which those of a higher one say so in every word and number.

What a clearance may read is a database of its own: the same rows without those that are above it. Nothing of the
package is imported.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cube_oracle.rows import insert

Row = dict[str, Any]

CLEARANCES = ("tier_1", "tier_2", "tier_3")
# The first days of what each clearance knows, and the last ones: a longer calendar would tell of hidden rows.
SPANS = {
    "tier_1": (datetime(2025, 11, 3), datetime(2025, 11, 27)),
    "tier_2": (datetime(2025, 10, 20), datetime(2025, 12, 10)),
    "tier_3": (datetime(2025, 9, 2), datetime(2026, 1, 5)),
}
# No policy names these, so they count as the highest.
UNKNOWN_TIERS = (None, "tier_9", "  ", "TIER_1")
MARK = "canary"
STATUSES = ("verified", "verified", "failed", "rolled_back", "partial_success", "executing")
RUN_STATUSES = ("succeeded", "succeeded", "failed", "running")
REQUEST_STATUSES = ("approved", "rejected", "pending")


@dataclass(frozen=True)
class Told:
    """One row, and who may know of it.

    Attributes:
        table: Of the operational database.
        row: Its values.
        clearance: The least tier that reads it.
    """

    table: str
    row: Row
    clearance: str


def everything() -> list[Told]:
    """All rows, in an order in which they can be inserted."""
    return [*_without_tier(), *_with_tier()]


def readable(clearance: str) -> list[Told]:
    """Those that a clearance may read."""
    order = CLEARANCES.index(clearance)
    return [each for each in everything() if CLEARANCES.index(each.clearance) <= order]


def rows(clearance: str, table: str) -> list[Row]:
    """Those of one table that a clearance may read."""
    return [each.row for each in readable(clearance) if each.table == table]


def database(template: Path, path: Path, clearance: str) -> Path:
    """A database that holds what a clearance may read, and nothing else."""
    path.write_bytes(template.read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in readable(clearance):
            insert(connection, each.table, each.row)
    return path


def clearance_of(tier: str | None) -> str:
    """Who may read a row of a tier."""
    return tier if tier in CLEARANCES else CLEARANCES[-1]


def _moments(tier: str | None) -> list[datetime]:
    """When something of a tier happened: on days of its own, on days of others, and at both ends of its span."""
    first, last = SPANS[clearance_of(tier)]
    base = datetime(2025, 11, 4, 9, 30, 15, 250_000)
    step = {"tier_1": 29, "tier_2": 43}.get(str(tier), 51)
    inside = [base + timedelta(hours=step * n) for n in range(12)]
    if clearance_of(tier) == "tier_1":
        return inside
    return [first + timedelta(hours=5), *inside, last + timedelta(hours=20)]


def _with_tier() -> Iterator[Told]:
    number = 0
    for tier in (*CLEARANCES, *UNKNOWN_TIERS):
        label = "plain" if tier == "tier_1" else f"{MARK}_{(tier or 'null').strip() or 'blank'}"
        hidden = tier != "tier_1"
        for place, moment in enumerate(_moments(tier)):
            number += 1
            marked = hidden and place % 3 != 1
            yield from _group(number, tier, label, place, moment, marked=marked)
    # What belongs to no contract has no tier.
    late = SPANS["tier_3"][1] - timedelta(days=3)
    for place in range(4):
        number += 1
        moment = late + timedelta(hours=7 * place)
        yield Told(
            "benchmark_runs",
            _benchmark(number, f"user:{MARK}_nobody", f"{MARK}_free", moment),
            "tier_3",
        )
        yield Told("playbook_runs", _run(number, f"{MARK}_free", moment, place), "tier_3")
        yield Told(
            "approval_requests", _request(number, "no contract", f"{MARK}_free", moment), "tier_3"
        )
        yield Told(
            "constitutional_compliance",
            _check(number, "no contract", f"{MARK}_free", moment),
            "tier_3",
        )


def _group(
    number: int, tier: str | None, label: str, place: int, moment: datetime, *, marked: bool
) -> Iterator[Told]:
    """A contract with a playbook run, a benchmark, a request and a check of its own."""
    clearance = clearance_of(tier)
    key = f"c-{number:03d}"
    shared = ("restart", "deploy", "tune")[place % 3]
    actor = (f"user:{label}", "hunter:7", f"mission:m-{label}", f"{label}-part:1")[place % 4]
    huge = timedelta(days=40, seconds=number) if marked else timedelta(seconds=30 + 7.5 * place)
    row = {
        "id": key,
        "action_type": f"{label}_action" if marked else shared,
        "playbook_id": f"{label}_playbook" if marked else "warm",
        "run_id": number,
        "expected_effect_hash": "0",
        "expected_effect": "{}",
        "baseline_state": "{}",
        "status": f"{label}_status"
        if marked and place % 2
        else STATUSES[(number + place) % len(STATUSES)],
        "confidence_score": 70_000.5 + number if marked else round(0.5 + place / 40, 3),
        "created_at": _written(moment),
        "verified_at": _written(moment + huge) if place % 5 != 4 else None,
        "safe_hold_snapshot_id": f"s-{number}" if number % 2 else None,
        "triggered_by": actor,
        "tier": tier,
    }
    yield Told("playbook_runs", _run(number, label, moment, place, marked=marked), clearance)
    yield Told("action_contracts", row, clearance)
    yield Told(
        "benchmark_runs",
        _benchmark(
            number, f"contract:{key}", f"{label}_bench" if marked else "smoke", moment, marked
        ),
        clearance,
    )
    yield Told(
        "approval_requests", _request(number, f"{key} rotates keys", label, moment, marked), clearance
    )  # fmt: skip
    yield Told("constitutional_compliance", _check(number, key, label, moment, marked), clearance)


def _run(number: int, label: str, moment: datetime, place: int, *, marked: bool = True) -> Row:
    ended = moment + (timedelta(days=50) if marked else timedelta(seconds=90 + place))
    return {
        "id": number,
        "playbook_id": 770_000 + number if marked else 7,
        # A component of its own: what it heals are no errors that others may count.
        "service": f"{label}-part",
        "status": f"{label}_run" if marked and place % 2 else RUN_STATUSES[place % 4],
        "requested_by": f"user:{label}",
        "created_at": _written(moment + timedelta(seconds=1)),
        "started_at": _written(moment + timedelta(seconds=2)),
        "ended_at": _written(ended),
    }


def _benchmark(number: int, by: str, kind: str, moment: datetime, marked: bool = True) -> Row:
    drift = -8000.25 - number if marked else -0.25 - number / 100
    return {
        "id": number,
        "run_id": f"b-{number}",
        "triggered_by": by,
        "benchmark_type": kind,
        "results": "{}",
        "metrics": "{}",
        "passed": number % 3 != 0,
        "drift_detected": number % 4 == 0,
        "delta_from_baseline": json.dumps({"latency": drift}),
        "duration_seconds": 1.5,
        "created_at": _written(moment + timedelta(seconds=3)),
    }


def _request(number: int, reason: str, label: str, moment: datetime, marked: bool = True) -> Row:
    decided = moment + (timedelta(days=60) if marked else timedelta(seconds=200 + number))
    status = f"{label}_request" if marked and number % 4 == 0 else REQUEST_STATUSES[number % 3]
    return {
        "id": number,
        "event_id": number,
        "status": status,
        "requested_by": f"user:{label}-asks",
        "reason": reason,
        "decision_by": f"{label}-decides",
        "created_at": _written(moment + timedelta(seconds=4)),
        "decided_at": _written(decided) if status in ("approved", "rejected") else None,
    }


def _check(number: int, action: str, label: str, moment: datetime, marked: bool = True) -> Row:
    return {
        "id": number,
        "action_id": action,
        "actor": f"user:{label}-checks",
        "action_type": f"{label}_check" if marked else "checked",
        "compliant": number % 3 != 1,
        "compliance_score": 90_000.0 + number if marked else round(0.6 + (number % 30) / 100, 2),
        "created_at": _written(moment + timedelta(seconds=5)),
    }


def _without_tier() -> Iterator[Told]:
    """Rows of tables that have no tier: whoever may read the metric may read all of them."""
    first, last = SPANS["tier_1"]
    for number in range(1, 25):
        moment = (
            first + timedelta(hours=6) if number == 1 else last + timedelta(hours=18)
            if number == 24 else first + timedelta(hours=20 * number, microseconds=500)
        )  # fmt: skip
        yield Told("immutable_log", _entry(2 * number, "error.detected", moment), "tier_1")
        if number % 3:
            resolved = moment + timedelta(seconds=40 + number)
            yield Told(
                "immutable_log", _entry(2 * number + 1, "error.resolved", resolved), "tier_1"
            )
        inside = first + timedelta(hours=19 * number)
        yield Told(
            "healing_actions",
            {
                "id": number, "component": ("cache", "database")[number % 2], "action": ("flush", "reload")[number % 2],
                "result": ("success", "failed")[number % 4 == 0], "created_at": _written(inside),
            },
            "tier_1",
        )  # fmt: skip
        yield Told(
            "execution_tasks",
            {
                "id": number, "task_id": f"t-{number}", "user": "alice", "task_type": ("index", "report")[number % 2],
                "status": ("completed", "failed", "queued")[number % 3], "created_at": _written(inside),
                "started_at": _written(inside + timedelta(seconds=number)),
                "completed_at": _written(inside + timedelta(seconds=60 + number)) if number % 3 != 2 else None,
            },
            "tier_1",
        )  # fmt: skip
    # Missions are told from tier_2 on, votes to tier_3: their days are no days for those below.
    labels = [
        f"{MARK}_{(tier or 'null').strip() or 'blank'}"
        for tier in (*CLEARANCES[1:], *UNKNOWN_TIERS)
    ]
    for number, label in enumerate(("plain", *labels), 1):
        started = first + timedelta(hours=30 * number)
        yield Told("mission_timelines", _mission(number, f"m-{label}", started), "tier_1")
    early = SPANS["tier_2"][0] + timedelta(hours=1)
    yield Told("mission_timelines", _mission(50, "m-early", early), "tier_2")
    for number in range(1, 6):
        moment = SPANS["tier_3"][0] + timedelta(hours=11 * number)
        yield Told(
            "governance_votes",
            {
                "id": number, "session_id": 1, "member_id": 880_000 + number, "vote": f"{MARK}_vote",
                "created_at": _written(moment),
            },
            "tier_3",
        )  # fmt: skip


def _entry(number: int, action: str, moment: datetime) -> Row:
    pair = number // 2
    payload = {
        "error_type": ("Timeout", "Refused")[pair % 2],
        "severity": ("low", "high")[pair % 2],
    }
    payload |= {"source": ("cache", "database")[pair % 2]}
    return {
        "id": number,
        "sequence": number,
        "actor": "input_sentinel",
        "action": action,
        "resource": f"e-{pair}",
        "payload": json.dumps(payload),
        "result": "logged",
        "entry_hash": str(number),
        "previous_hash": "0",
        "timestamp": _written(moment),
    }


def _mission(number: int, key: str, moment: datetime) -> Row:
    ended = number % 2 == 0
    return {
        "id": number,
        "mission_id": key,
        "mission_name": f"Mission {number}",
        "started_at": _written(moment),
        "completed_at": _written(moment + timedelta(hours=number)) if ended else None,
        "progress_ratio": number / 10,
        "status": "completed" if ended else "in_progress",
    }


def _written(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="microseconds")
