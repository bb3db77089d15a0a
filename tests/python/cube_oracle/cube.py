"""The whole cube, one refresh after another: what was seen before decides what history the dimensions have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from cube_oracle import (
    facts_error,
    facts_execution,
    facts_governance,
    facts_shard,
    facts_verification,
    reading,
)
from cube_oracle.dimensions import (
    MissionHistory,
    actors,
    calendar_days,
    components,
    missions_now,
    tiers,
)
from cube_oracle.kernels import kernels
from cube_oracle.rollups import Names, rollups
from cube_oracle.source import CLOCKS, KEYS, Finding, Landed, Row, findings, land, stage
from cube_oracle.world import World


@dataclass(frozen=True)
class Expected:
    """What one refresh has to publish: rows by table, and the days of dim_time."""

    tables: dict[str, list[Row]]
    days: list[date]


@dataclass
class Oracle:
    """Watches the operational rows at each refresh, as the product has to."""

    missions: MissionHistory = field(default_factory=MissionHistory)
    names: set[str] = field(default_factory=set)
    landed: Landed = field(default_factory=dict)
    known: dict[str, set[str | None]] = field(default_factory=dict)
    read_at: dict[str, datetime] = field(default_factory=dict)
    quarantine: dict[Finding, tuple[str | None, bool]] = field(default_factory=dict)

    def refresh(self, database: Path, clock: datetime, *, full: bool = False) -> Expected:
        """What the refresh that began at `clock` has to publish.

        Args:
            database: The operational rows as that refresh found them.
            clock: Its run clock, as the published snapshot tells it.
            full: Whether every table was built anew; dimensions keep their history, the rest knows nothing of before.
        """
        if full:
            self.landed, self.known, self.quarantine, self.read_at = {}, {}, {}, {}
        read = land(database)
        changes = self._changes(read, clock)
        self.landed = {**self.landed, **read}
        self._find(clock)
        for row in changes:
            row["values_quarantined"] = sum(
                is_open and key[0] == row["source_table"]
                for key, (_, is_open) in self.quarantine.items()
            )
        staged = stage(self.landed, clock)
        timelines = missions_now(staged)
        self.missions.watch(timelines, clock)
        errors = facts_error.errors(staged)
        named = [row["component"] for row in staged["healing_actions"]]
        named += [row["service"] for row in staged["playbook_runs"]] + [
            error.component for error in errors
        ]
        self.names |= {name for name in named if name}
        dims = tiers(), self.missions.dimension(), components(self.names)
        world = World(staged, timelines, *dims)
        facts = {
            "fact_verification_executions": facts_verification.verification_executions(world),
            "fact_mission_progress": facts_verification.mission_progress(world),
            "fact_benchmark_runs": facts_verification.benchmark_runs(world),
            "fact_safe_hold_snapshots": facts_verification.safe_hold_snapshots(world),
            "fact_playbook_runs": facts_execution.playbook_runs(world),
            "fact_playbook_steps": facts_execution.playbook_steps(world),
            "fact_healing_actions": facts_execution.healing_actions(world),
            "fact_approvals": facts_governance.approvals(world),
            "fact_governance_votes": facts_governance.governance_votes(world),
            "fact_constitutional_compliance": facts_governance.constitutional_compliance(world),
            "fact_execution_tasks": facts_shard.execution_tasks(world),
            "fact_shard_heartbeats": facts_shard.shard_heartbeats(world),
            "fact_error_events": facts_error.error_events(world, errors),
        }
        names = Names(world.tiers.by_key("tier_key"), world.components.by_key("component_key"))
        others = {
            "dim_tier": world.tiers.rows,
            "dim_mission": world.missions.rows,
            "dim_component": world.components.rows,
            "dim_actor": actors(staged, {e.actor for e in errors if e.actor}),
            "cube_quarantine": self._quarantined(),
            "cube_source_changes": changes,
        }
        return Expected(
            {**others, **facts, **rollups(facts, names), **kernels(staged)},
            calendar_days(self.landed, clock),
        )

    def _changes(self, read: Landed, clock: datetime) -> list[Row]:
        found = []
        self.read_at |= dict.fromkeys(read, clock)
        for table, (component, column) in CLOCKS.items():
            now = {row[KEYS[table]]: row for row in read.get(table, [])}
            before = {row[KEYS[table]]: row for row in self.landed.get(table, [])}
            known = self.known.setdefault(table, set())
            moments = [
                moment
                for row in (now if table in read else before).values()
                if (moment := reading.instant(row[column])) and reading.is_accepted(moment, clock)
            ]
            found.append({
                "component": component,
                "source_table": table,
                "is_missing": table not in read,
                "rows_read": len(now),
                "rows_inserted": len(now.keys() - known),
                "rows_updated": sum(key in known and before.get(key) != row for key, row in now.items()),
                "rows_deleted": len(before.keys() - now.keys()) if table in read else 0,
                "newest_at": max(moments, default=None),
                "read_mode": "all" if table in self.read_at else None,
                "exact_at": self.read_at.get(table),
                "run_at": clock,
            })  # fmt: skip
            known.update(now)
        return found

    def _find(self, clock: datetime) -> None:
        found = dict(findings(self.landed, clock))
        for key, (mask, _) in self.quarantine.items():
            self.quarantine[key] = (mask, False)
        self.quarantine |= {key: (mask_of(text), True) for key, text in found.items()}

    def _quarantined(self) -> list[Row]:
        names = ("source_table", "row_key", "column_name", "reason")
        return [
            {**dict(zip(names, key, strict=True)), "masked_value": mask, "is_open": is_open}
            for key, (mask, is_open) in self.quarantine.items()
        ]


def mask_of(text: str | None) -> str | None:
    """The shape of a value: letters as x, digits as 9, at most 64 characters."""
    return None if text is None else re.sub(r"[0-9]", "9", re.sub(r"[^\W\d_]", "x", text))[:64]
