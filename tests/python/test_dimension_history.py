"""What becomes of missions, components and their facts while refreshes follow one another."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from cube_oracle.rows import contract, insert
from edited_project import EditedProject
from test_dbt_build import ROOT

from grace_dbt.build_file import restore_history, set_aside_build

END = "2025-11-03 10:00:00"
TIMES = {
    "early": "2025-11-02 09:00:00", "before": "2025-11-03 09:59:59.999999", "boundary": END,
    "after": "2025-11-03 12:00:00",
}  # fmt: skip
# The state of its mission and the description of its component that each fact stands under.
STAMPED = """
    select contract_id, m.mission_name || ' ' || m.final_status, c.description
    from fact_verification_executions
    join dim_mission as m using (mission_key)
    join dim_component as c using (component_key)
"""
FINDINGS = """
    select source_table, row_key, column_name, masked_value
    from cube_quarantine
    where reason = 'duplicate_value' and resolved_at is null
    order by all
"""
TABLES = (
    "dim_tier",
    "dim_mission",
    "dim_component",
    "fact_verification_executions",
    "fact_healing_actions",
)
EXECUTOR = "Runs actions under contract and has them verified"


class History(EditedProject):
    """Contracts of a mission, one of them dated ahead; a database that enforces no key."""

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        ahead = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=12)
        with sqlite3.connect(self.database) as connection:
            for table in ("mission_timelines", "dataset_versions"):
                connection.execute(f"create table keyless as select * from {table}")
                connection.execute(f"drop table {table}")
                connection.execute(f"alter table keyless rename to {table}")
            for name, moment in (TIMES | {"ahead": str(ahead)}).items():
                self.add(connection, contract(name, triggered_by="mission:m1", created_at=moment))
            self.add(connection, contract("nowhere", triggered_by="mission:unknown"))

    @staticmethod
    def add(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
        insert(connection, "action_contracts", row)

    def change(self, *statements: str) -> None:
        with sqlite3.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement)

    def stamped(self, *, full: bool = False) -> tuple[dict[str, str], dict[str, str]]:
        """Mission and component of each fact, after a refresh."""
        self.refresh(full=full)
        rows = self.rows(STAMPED)
        return {name: mission for name, mission, _ in rows}, {name: text for name, _, text in rows}

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of the tables that hold or use history."""
        return {table: self.rows(f"select * from {table} order by all") for table in TABLES}

    def order(self) -> list[str]:
        """The facts as they lie in the file: what is written anew comes last."""
        with duckdb.connect(str(self.settings.build_file), read_only=True) as connection:
            rows = connection.execute(
                "select contract_id from fact_verification_executions order by rowid"
            ).fetchall()
        return [name for (name,) in rows]


def test_missions_and_components_through_their_life(tmp_path: Path, templates: Path) -> None:
    history = History(tmp_path, templates / "fresh.sqlite")
    unknown = "Unknown unknown"
    everything = [*TIMES, "ahead"]

    # Actions come before the mission that they report to.
    missions, components = history.stamped()
    assert missions == dict.fromkeys([*everything, "nowhere"], unknown)
    assert set(components.values()) == {EXECUTOR}

    # It opens, written twice; a mission of the unknown one's name; a strange component; the executor described anew.
    history.change(
        "insert into mission_timelines (id, mission_id, mission_name, status, started_at)"
        f" values (9, 'm1', 'Draft', 'in_progress', '{TIMES['early']}'),"
        f" (10, 'm1 ', 'Alpha', 'in_progress', '{TIMES['early']}'),"
        " (11, 'unknown', 'Trap', 'in_progress', '2025-11-01 00:00:00')",
        "insert into dataset_versions (version_id, dataset_id, version, created_at) values"
        " ('1', 'd', '1.0', '2025-11-01'), ('2', 'd', '1.0', '2025-11-01'), ('3', 'd', '1.1', '2025-11-01')",
        "insert into healing_actions (id, component, action, result, created_at)"
        " values (1, 'api_gateway', 'restart', 'success', '2025-11-02 09:00:00')",
    )
    history.edit("components", lambda lines: lines["action_executor"].update(description="Anew"))
    renamed = {"tier_name": "Tactique", "policy_date": "2025-07-01"}
    history.edit("tiers", lambda lines: lines["tier_2"].update(renamed))
    missions, components = history.stamped()
    assert missions == dict.fromkeys(everything, "Alpha in_progress") | {"nowhere": unknown}
    assert components.pop("ahead") == "Anew"
    assert set(components.values()) == {EXECUTOR}
    assert history.rows(FINDINGS) == [
        ("dataset_versions", "1", "dataset_id, version", "x, 9.9"),
        ("mission_timelines", "9", "mission_id", "x9"),
    ]
    assert history.rows(
        "select component_name, subsystem from fact_healing_actions join dim_component using (component_name)"
    ) == [("api_gateway", "unknown")]

    # A new name holds from this refresh on; without its second row the value is no longer repeated.
    history.change(
        "delete from mission_timelines where id = 9",
        "update mission_timelines set mission_name = 'Beta' where id = 10",
    )
    missions, _ = history.stamped()
    assert missions == dict.fromkeys(TIMES, "Alpha in_progress") | {
        "ahead": "Beta in_progress",
        "nowhere": unknown,
    }
    assert [finding[0] for finding in history.rows(FINDINGS)] == ["dataset_versions"]

    # The end is told late: it overrules the name's refresh, and facts from then on are stamped anew at once.
    history.change(
        f"update mission_timelines set status = 'completed', completed_at = '{END}' where id = 10"
    )
    missions, _ = history.stamped()
    ended = {
        "early": "Alpha in_progress",
        "before": "Alpha in_progress",
        "boundary": "Beta completed",
        "after": "Beta completed",
        "ahead": "Beta completed",
        "nowhere": unknown,
    }
    assert missions == ended

    # Built in full, the cube is the same: the history is in the snapshots.
    before = history.tables()
    history.refresh(full=True)
    assert before == history.tables()

    # So it is when the build is lost: the history comes back from what was published with the cube.
    set_aside_build(history.settings)
    assert restore_history(history.settings)
    history.refresh()
    assert before == history.tables()
    assert [len(before[table]) for table in ("dim_tier", "dim_mission")] == [5, 3]

    # Of the facts, the one that differs is written and no other; a mission whose row is gone stays.
    lying = history.order()
    changed = lying[0]
    history.change(
        f"update action_contracts set confidence_score = 0.5 where id = '{changed}'",
        "delete from mission_timelines",
    )
    missions, _ = history.stamped()
    assert missions == ended
    assert history.order() == [*lying[1:], changed]


def test_a_week_starts_on_a_day_that_is_known(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "parse", "--target", "plan"),
            *("--vars", "week_starts_on: friday", "--target-path", str(tmp_path)),
            *("--log-path", str(tmp_path)),
        ],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "week_starts_on is 'friday': it takes monday, sunday, saturday" in done.stdout
