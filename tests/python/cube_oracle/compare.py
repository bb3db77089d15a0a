"""A published snapshot against what it has to hold: every table, row and column."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isclose
from pathlib import Path
from typing import Any

import duckdb

from cube_oracle.cube import Expected, Oracle
from cube_oracle.dimensions import hour_of_day
from cube_oracle.kernels import KERNELS
from cube_oracle.source import Row

_DAY = ("year", "month", "day")
_HOUR = (*_DAY, "hour")

# What tells the rows of each table apart. The first fourteen are told by the id that the source gave.
GRAINS: dict[str, tuple[str, ...]] = {
    "fact_verification_executions": ("contract_id",),
    "fact_mission_progress": ("mission_id",),
    "fact_benchmark_runs": ("benchmark_id",),
    "fact_safe_hold_snapshots": ("snapshot_id",),
    "fact_playbook_runs": ("playbook_run_id",),
    "fact_playbook_steps": ("step_run_id",),
    "fact_healing_actions": ("healing_id",),
    "fact_approvals": ("approval_id",),
    "fact_governance_votes": ("vote_id",),
    "fact_constitutional_compliance": ("compliance_id",),
    "fact_execution_tasks": ("execution_task_id",),
    "fact_shard_heartbeats": ("heartbeat_id",),
    "fact_error_events": ("error_id",),
    "dim_actor": ("actor_id",),
    "dim_mission": ("mission_id", "effective_from", "mission_key"),
    "dim_component": ("component_name", "effective_from"),
    "dim_tier": ("tier_code", "effective_from"),
    "cube_quarantine": ("source_table", "row_key", "column_name", "reason"),
    "cube_source_changes": ("source_table",),
    "cube_verification_by_tier": ("tier_code",),
    "cube_mission_metrics": ("mission_type", "tier_code", "tier_name", "final_status"),
    "cube_error_trends": (*_DAY, "severity", "source"),
    "cube_approval_latency": (*_DAY, "tier_code", "tier_name", "approval_type"),
    "cube_playbook_effectiveness": (*_DAY, "playbook_id", "component_name"),
    "cube_healing_effectiveness": (*_DAY, "component_name", "action_type"),
    "cube_drift": (*_DAY, "benchmark_type"),
    "cube_queue": (*_HOUR, "task_type"),
    "cube_latency_histogram": ("measure", *_DAY, "tier_code", "bucket_seconds"),
    "cube_latency_percentiles": ("measure", *_DAY, "tier_code"),
    "cube_daily_verification_by_tier": (*_DAY, "tier_code", "tier_name"),
    "cube_hourly_verification_by_tier": (*_HOUR, "tier_code", "tier_name"),
    "cube_daily_verification_by_component": (*_DAY, "component_name"),
    "cube_hourly_verification_by_component": (*_HOUR, "component_name"),
    "cube_daily_verification_by_action_type": (*_DAY, "action_type"),
    "cube_hourly_verification_by_action_type": (*_HOUR, "action_type"),
    **dict.fromkeys(KERNELS, ("reading_type", "reading_id")),
}
# The calendar is compared by itself.
TABLES = frozenset(GRAINS) | {"dim_time"}
# No row of Grace tells of it: it is held against the runs where these are tested.
LOG_OF_RUNS = "cube_etl_metadata"
# The chains have an oracle of their own, in audit_oracle.
OF_CHAINS = "audit_chain_"
# Columns that the runs themselves write.
RUN_STAMPS = {"quarantine_key", "first_run_at", "last_run_at", "resolved_at"}

TOLD_BY_EARLIER_REFRESHES = frozenset({"cube_quarantine", "cube_source_changes"})


@dataclass(frozen=True)
class Difference:
    """One thing that differs; `column` is `*` where a row is missing or too many."""

    table: str
    key: tuple[Any, ...]
    column: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        history = history_of(self.key)
        whose = "" if history is None else f" (history {history})"
        return f"{self.table}{whose} {self.key}: {self.column} is {self.found!r}, expected {self.expected!r}"


def history_of(key: tuple[Any, ...]) -> int | None:
    """The made-up history that a row belongs to, if its key tells."""
    for part in key:
        if isinstance(part, str):
            match = re.search(r"\bh(\d+)-", part) or re.fullmatch(r"(?:\w+:)?(\d+)\d{4}", part)
            if match:
                return int(match[1])
    return None


class Published:
    """The tables of a published snapshot."""

    def __init__(self, snapshot: str | Path) -> None:
        self.path = str(snapshot)

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        with closing(duckdb.connect(self.path, read_only=True)) as connection:
            cursor = connection.execute(sql)
            return [column[0] for column in cursor.description or []], cursor.fetchall()

    def every_table(self) -> set[str]:
        """The names of all tables."""
        _, found = self.query("select table_name from duckdb_tables() where not internal")
        return {name for (name,) in found}

    def tables(self) -> set[str]:
        """The names of the tables, without the log of runs and what is told of audit chains."""
        return {
            name
            for name in self.every_table()
            if name != LOG_OF_RUNS and not name.startswith(OF_CHAINS)
        }

    def rows(self, table: str) -> list[Row]:
        """The rows of a table; what belongs to runs is left out, whether a finding is open is kept."""
        is_open = ", resolved_at is null as is_open" if table == "cube_quarantine" else ""
        stamps = RUN_STAMPS if table == "cube_quarantine" else ()
        names, rows = self.query(f"select *{is_open} from {table}")
        kept = [i for i, name in enumerate(names) if name not in stamps]
        return [{names[i]: row[i] for i in kept} for row in rows]

    def run_clock(self) -> datetime:
        """When the run began that made the snapshot."""
        [(clock,)] = self.query("select distinct run_at from cube_source_changes")[1]
        assert isinstance(clock, datetime)
        return clock


def is_same(expected: Any, found: Any) -> bool:
    """Equal values; an engine adds up real numbers in its own order, so their last digits are its own."""
    if isinstance(expected, float) or isinstance(found, float):
        numbers = isinstance(expected, float | int) and isinstance(found, float | int)
        return numbers and isclose(expected, found, rel_tol=1e-9, abs_tol=1e-7)
    return type(expected) is type(found) and bool(expected == found)


def differences(table: str, expected: list[Row], found: list[Row]) -> list[Difference]:
    """What differs between two sets of rows of one table."""
    grain = GRAINS[table]

    def by_key(rows: list[Row]) -> dict[tuple[Any, ...], Row]:
        return {tuple(_plain(row.get(name)) for name in grain): row for row in rows}

    left, right = by_key(expected), by_key(found)
    differing = [
        Difference(table, ("rows",), "count", len(rows), len(unique))
        for rows, unique in ((expected, left), (found, right))
        if len(rows) != len(unique)
    ]
    differing += [
        Difference(table, key, "*", left[key], None) for key in left.keys() - right.keys()
    ]
    differing += [
        Difference(table, key, "*", None, right[key]) for key in right.keys() - left.keys()
    ]
    for key in left.keys() & right.keys():
        row, other = left[key], right[key]
        for column in row.keys() | other.keys():
            told, is_there = row.get(column, "no column"), other.get(column, "no column")
            if not is_same(told, is_there):
                differing.append(Difference(table, key, column, told, is_there))
    return differing


def _plain(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def calendar_differences(expected: Expected, published: Published) -> list[Difference]:
    """What is wrong with dim_time: its bounds, its minutes, and what it says of each hour."""
    days = expected.days
    [found] = published.query(
        "select count(*), count(distinct timestamp), count(distinct time_key), min(timestamp), max(timestamp),"
        " count(case when time_key <> cast(strftime(timestamp, '%Y%m%d%H%M') as bigint) or second(timestamp) <> 0"
        " or minute <> minute(timestamp) then 1 end) from dim_time"
    )[1]
    size = len(days) * 1440
    bounds: tuple[datetime | None, datetime | None] = (None, None)
    if days:
        first = datetime.combine(days[0], datetime.min.time())
        bounds = first, datetime.combine(days[-1], datetime.min.time()) + timedelta(minutes=1439)
    told = (size + 1, size, size + 1, *bounds, 0)
    differing = (
        [Difference("dim_time", ("minutes",), "count", told, found)] if told != found else []
    )
    unknown = published.query("select * exclude (timestamp) from dim_time where time_key = -1")[1]
    if unknown != [(-1, *[None] * 7, "Unknown", None, None)]:
        differing.append(Difference("dim_time", (-1,), "*", "the unknown minute", unknown))
    names, hours = published.query(
        "select distinct cast(timestamp as date) as date, * exclude (time_key, timestamp, minute) from dim_time"
        " where time_key <> -1"
    )
    for cells in hours:
        row = dict(zip(names, cells, strict=True))
        day = row.pop("date")
        right = hour_of_day(day, row["hour"])
        if row != right:
            differing.append(Difference("dim_time", (day, row["hour"]), "*", right, row))
    return differing


def compare(
    expected: Expected,
    snapshot: str | Path,
    *,
    demanded: frozenset[str] = frozenset(),
    empty: frozenset[str] = frozenset(),
    besides: frozenset[str] = frozenset(),
) -> list[Difference]:
    """What differs between a published snapshot and what it has to hold.

    Args:
        expected: What the oracle tells.
        snapshot: The published file.
        demanded: Tables that have to be there; others are compared where they are.
        empty: Tables that may be empty: a comparison of nothing with nothing proves nothing.
        besides: Tables that are not compared.
    """
    published = Published(snapshot)
    there = published.tables()
    found = [Difference(table, (), "*", "a table", "none") for table in sorted(demanded - there)]
    found += [
        Difference(table, (), "*", "no such table", "a table") for table in sorted(there - TABLES)
    ]
    for table in sorted((there & GRAINS.keys()) - besides):
        rows = expected.tables[table]
        if not rows and table not in empty:
            found.append(
                Difference(table, (), "*", "rows: an empty expectation proves nothing", "none")
            )
        found += differences(table, rows, published.rows(table))
    return found + calendar_differences(expected, published)


def told(differing: list[Difference], replay: str = "") -> str:
    """The first differences of each table, in words, and how to see them again."""
    lines, tables = [], sorted({d.table for d in differing})
    for table in tables:
        mine = [d for d in differing if d.table == table]
        columns = sorted({d.column for d in mine})
        lines.append(f"{table}: {len(mine)} differences in {', '.join(columns)}")
        shown = [next(d for d in mine if d.column == column) for column in columns]
        shown += [d for d in mine if d not in shown][:3]
        lines += [f"    {str(d)[:1000]}" for d in shown[:12]]
    return "\n".join([*lines, replay])


def assert_same(
    expected: Expected,
    snapshot: str | Path,
    *,
    replay: str = "",
    demanded: frozenset[str] = frozenset(),
    empty: frozenset[str] = frozenset(),
    besides: frozenset[str] = frozenset(),
) -> None:
    """Fail where a published snapshot is not what it has to be.

    Raises:
        AssertionError: With table, key, column, both values, and `replay`.
    """
    differing = compare(expected, snapshot, demanded=demanded, empty=empty, besides=besides)
    assert not differing, "\n" + told(differing, replay)


def assert_parity(snapshot: str | Path, database: Path, *, first: bool = True) -> None:
    """A refresh against the operational rows, which have not changed since.

    Args:
        snapshot: What it published.
        database: The SQLite file that it read.
        first: Whether it was the first of its installation; of a later one, what tells of those before is left out.
    """
    expected = Oracle().refresh(database, Published(snapshot).run_clock())
    empty = frozenset(table for table, rows in expected.tables.items() if not rows)
    assert expected.tables["fact_verification_executions"], "an empty oracle proves nothing"
    besides = frozenset() if first else TOLD_BY_EARLIER_REFRESHES
    assert_same(expected, snapshot, empty=empty, besides=besides)
