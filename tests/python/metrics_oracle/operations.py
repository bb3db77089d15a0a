"""Made-up operational rows for metrics: busy days and long silences, a month's and a year's end, and whatever is odd.

The rows are those of `cube_oracle.histories`, told around the moments below, and some by hand. `AS_OF` is when they are
read; some are told ahead of it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from cube_oracle.histories import History, KernelHistory
from cube_oracle.rows import benchmark, contract, insert

SEED = 20260120
HISTORIES = 120
# What the snapshot says is kept to the millisecond.
AS_OF = datetime(2026, 1, 20, 13, 37, 11, 250_000)
# Two weeks of silence in November, three in December, nine days in January; one history lives around a few of them.
MOMENTS = (
    datetime(2025, 11, 12, 9, 30),
    datetime(2025, 11, 13, 16),
    datetime(2025, 11, 30, 21, 58),  # a Sunday, and the end of a month
    datetime(2025, 12, 3, 8, 59, 59, 999_999),
    datetime(2025, 12, 5, 11),
    datetime(2025, 12, 28, 23, 30),
    datetime(2025, 12, 31, 21, 58),  # the end of a year, amid a week
    datetime(2026, 1, 3, 6),
    datetime(2026, 1, 13, 13, 30),  # where the last seven days begin
    datetime(2026, 1, 16, 10),
    datetime(2026, 1, 19, 20),
    datetime(2026, 1, 20, 11),
)
# Columns that another deployment's tables may leave empty.
_REQUIRED = re.compile(r"\s+not\s+null", re.IGNORECASE)


def relax(database: Path) -> None:
    """Let every column be NULL, as in a deployment whose tables ask for less."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("pragma writable_schema = on")
        for name, sql in connection.execute(
            "select name, sql from sqlite_master where type = 'table' and sql is not null"
        ).fetchall():
            relaxed = _REQUIRED.sub("", sql)
            connection.execute("update sqlite_master set sql = ? where name = ?", [relaxed, name])


def write(connection: sqlite3.Connection) -> None:
    """Everything that happens until the rows are read."""
    for number in range(1, HISTORIES + 1):
        for kind in (History, KernelHistory):
            history = kind(SEED, number, connection)
            moments = history.chance.sample(MOMENTS, 3)
            history.moments = [moment + history.span(2) for moment in moments]
            history.go_on([])
            history.go_on([AS_OF])
    for row in CONTRACTS:
        insert(connection, "action_contracts", row)
    for row in BENCHMARKS:
        insert(connection, "benchmark_runs", row)
    connection.executescript(_OTHERS)
    connection.commit()


_SAME = "2026-01-16 10:00:00.000001"
_AT_ONCE = [
    contract(
        f"at once {n}", created_at=_SAME, verified_at="2026-01-16 10:00:0" + f"{n}.5", tier=f"tier_{n % 3 + 1}",
        action_type="restart_service", triggered_by="hunter", status=("verified", "failed")[n % 2], playbook_id="pb",
        safe_hold_snapshot_id="s" if n % 4 else None, confidence_score=n / 10,
    )
    for n in range(9)
]  # fmt: skip
CONTRACTS = [
    *_AT_ONCE,
    contract("no time", created_at=None),
    contract("no time, unknown tier", created_at=None, tier="tier_9", status=None),
    contract("no readable time", created_at="the day before", verified_at=None, tier="tier_2"),
    contract("no such day", created_at="2025-11-31 10:00:00", status="rolled_back", tier="tier_3"),
    contract("nothing known", created_at="2025-12-05 11:00:00", status=None, tier=None, action_type=None,
             triggered_by=None, verified_at=None, confidence_score=None, playbook_id=None),
    contract("odd status", created_at="2025-12-05 11:00:00.000001", status="Verified", action_type=None),
    contract("backwards", created_at="2025-12-05 11:01:00", verified_at="2025-12-05 10:00:00.25", tier="tier_2"),
    contract("last instant", created_at="2025-11-30 23:59:59.999999", verified_at="2025-12-01 00:00:00"),
    contract("first instant", created_at="2025-12-01 00:00:00", verified_at="2025-12-01 00:00:00"),
    contract("last of the year", created_at="2025-12-31 23:59:59.999999", tier="tier_3", status="failed"),
    contract("first of the year", created_at="2026-01-01T00:00:00Z", tier="tier_3", action_type="deploy_config"),
    contract("seven days before", created_at=str(AS_OF - timedelta(days=7)), tier="tier_2"),
    contract("just out of seven days", created_at=str(AS_OF - timedelta(days=7, microseconds=1)), tier="tier_2"),
    contract("just before", created_at=str(AS_OF - timedelta(microseconds=1)), tier="tier_1"),
    contract("at the moment", created_at=str(AS_OF), tier="tier_1"),
    contract("after the moment", created_at=str(AS_OF + timedelta(hours=5)), tier="tier_1"),
    contract("tomorrow", created_at=str(AS_OF + timedelta(hours=23)), tier="tier_3", status="pending"),
    contract("never", created_at=str(AS_OF + timedelta(days=40)), tier="tier_1"),
    contract("of no mission", created_at="2026-01-03 06:00:00", triggered_by="mission:nowhere", tier="TIER_1"),
    contract("of nobody", created_at="2026-01-03 06:00:30.5", triggered_by="robot:r2 d2", tier=""),
    contract("of a mission", created_at="2026-01-03 06:00:30.5", triggered_by="mission:told"),
    contract("of it, earlier", created_at="2025-12-03 09:00:00", triggered_by="mission:told", tier="tier_3"),
    contract("quoted", created_at="2026-01-03 06:01:00", action_type="1=1) or ('a'='a", triggered_by="user:o'neil"),
]  # fmt: skip
BENCHMARKS = [
    benchmark("hand-1", "contract:of a mission", passed=0, drift_detected=1, created_at="2026-01-03 06:01:00"),
    benchmark("hand-2", "contract:no time", created_at=None, passed=None),
    benchmark("hand-3", "contract:at once 1", created_at=_SAME, benchmark_type=None, delta_from_baseline="{}"),
    benchmark("hand-4", "user:alice", created_at=str(AS_OF + timedelta(hours=1)), delta_from_baseline='{"a": 12}'),
]  # fmt: skip
_OTHERS = """
insert into mission_timelines (mission_id, mission_name, started_at, status, progress_ratio, mission_metadata) values
    ('told', 'Told', '2025-12-02 10:00:00', 'completed', 0.5, '{"triggered_by": "user:anna"}'),
    ('without a time', 'Lost', null, 'completed', 1, null),
    ('backwards', 'Back', '2026-01-03 07:00:00', 'failed', null, '{"type": "optimization"}');
update mission_timelines set completed_at = '2026-01-03 06:59:30.75' where mission_id in ('told', 'backwards');
insert into approval_requests (id, event_id, status, requested_by, reason, decision_by, created_at, decided_at) values
    (9000001, 9000001, 'approved', 'user:anna', 'of a mission', 'otto', '2026-01-03 06:02:00', '2026-01-03 06:01:59'),
    (9000002, 9000002, 'approved', null, null, null, null, null),
    (9000003, 9000003, null, 'hunter', 'at once', 'otto', '2026-01-19 20:00:00', '2026-01-19 21:00:00'),
    (9000004, 9000004, 'rejected', 'user:anna', 'none', 'otto', '2026-01-20 20:00:00', '2026-01-21 09:00:00.5');
insert into playbook_runs (id, playbook_id, service, status, requested_by, created_at, started_at, ended_at) values
    (9000001, null, null, null, null, '2026-01-19 20:00:00', '2026-01-19 20:00:00', '2026-01-19 19:59:59.5'),
    (9000002, 7, 'hunter', 'succeeded', 'user:anna', null, '2026-01-19 20:00:00', '2026-01-19 20:00:10'),
    (9000003, 7, 'nobody knows', 'Succeeded', 'user:anna', '2025-12-05 11:00:00', null, '2025-12-05 12:00:00');
insert into healing_actions (id, component, action, result, created_at) values
    (9000001, null, null, null, null),
    (9000002, 'hunter', null, 'SUCCESS', '2025-12-05 11:00:00.000001'),
    (9000003, 'hunter', 'größe ändern', 'success', '2026-01-20 13:37:11.25');
insert into execution_tasks (id, task_id, user, task_type, status, created_at, started_at, completed_at) values
    (9000001, 'k1', 'otto', null, 'completed', '2025-11-30 23:59:59.999999', '2025-12-01', '2025-12-01 00:00:01'),
    (9000002, 'k2', 'otto', 'restart_service', 'completed', '2026-01-16 10:00:00', '2026-01-16 09:59:59', null),
    (9000003, 'k3', null, 'restart_service', null, null, null, '2026-01-16 10:00:00'),
    (9000004, 'k4', 'otto', 'restart_service', 'failed', '2026-01-16 10:00:00', null, '2026-01-21 08:00:00');
insert into governance_votes (id, session_id, member_id, vote, created_at) values
    (9000001, 1, null, null, null), (9000002, 1, 2, 'Approve', '2026-01-19 20:00:00');
insert into constitutional_compliance
    (id, action_id, actor, action_type, compliant, compliance_score, created_at) values
    (9000001, 'of a mission', 'hunter', null, null, 0.25, '2026-01-16 10:00:00'),
    (9000002, 'at once 2', null, 'restart_service', 1, null, null),
    (9000003, 'at once 1', 'user:anna', 'restart_service', 0, 0.75, '2026-01-16 10:00:00.000001');
"""
