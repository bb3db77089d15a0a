"""What becomes of dim_tier and of the facts when the policy of a tier changes, is corrected, goes and comes back."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from cube_oracle.rows import contract, insert
from test_dbt_build import PARTS, ROOT

from grace_dbt import dbt_runner
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import refresh
from grace_dbt.settings import Settings

Tiers = dict[str, dict[str, str]]
Names = dict[str, str]
TIMES = {
    "spring": "2025-04-01 00:00:00", "before": "2025-06-30 23:59:59.999999", "boundary": "2025-07-01 00:00:00",
    "autumn": "2025-10-01 00:00:00",
}  # fmt: skip


class History:
    """A project of its own whose tier seed can be edited, and the number that a refresh publishes."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.project = folder / "project"
        for part in PARTS:
            (self.project / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, self.project / part)
        self.seed = self.project / "seeds" / "reference" / "tiers.csv"
        database = Path(shutil.copy(template, folder / "operational.sqlite"))
        with sqlite3.connect(database) as connection:
            for name, moment in TIMES.items():
                insert(
                    connection, "action_contracts", contract(name, tier="tier_2", created_at=moment)
                )
            insert(connection, "action_contracts", contract("ninth", tier="tier_9"))
        self.settings = Settings(folder / "home", FileUrl("sqlite", database))

    def edit(self, change: Callable[[Tiers], object]) -> None:
        with self.seed.open(newline="") as lines:
            tiers = {row["tier_code"]: row for row in csv.DictReader(lines)}
        columns = list(next(iter(tiers.values())))
        change(tiers)
        with self.seed.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(tiers.values())

    def names(self, *, full: bool = False) -> Names:
        """The name of the tier that each fact stands under, after a refresh."""
        report = refresh(self.settings, full=full)
        self.printed = {tier.tier_code: tier.tier_name for tier in report.tiers}
        with duckdb.connect(report.snapshot.snapshot_path, read_only=True) as connection:
            rows = connection.execute(
                "select contract_id, tier_name from fact_verification_executions join dim_tier using (tier_key)"
            ).fetchall()
        return dict(rows)


def test_a_policy_through_its_life(
    tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path, templates / "fresh.sqlite")
    monkeypatch.setattr(dbt_runner, "project_directory", lambda: history.project)
    everywhere = dict.fromkeys(TIMES, "Tactical")
    assert history.names() == everywhere | {"ninth": "Unknown"}

    # A new name from July on: facts before it keep the old one, the boundary belongs to the new one.
    history.edit(
        lambda tiers: tiers["tier_2"].update(tier_name="Tactique", policy_date="2025-07-01")
    )
    renamed = {
        "spring": "Tactical",
        "before": "Tactical",
        "boundary": "Tactique",
        "autumn": "Tactique",
    }
    assert history.names() == renamed | {"ninth": "Unknown"}
    assert history.names(full=True) == renamed | {"ninth": "Unknown"}

    # A correction under the same date never was a version of its own; a tier that appears takes its facts along.
    def correct(tiers: Tiers) -> None:
        tiers["tier_2"].update(tier_name="Tactic")
        tiers["tier_9"] = tiers["tier_3"] | {"tier_code": "tier_9", "tier_name": "Ninth"}

    history.edit(correct)
    corrected = {
        "spring": "Tactical",
        "before": "Tactical",
        "boundary": "Tactic",
        "autumn": "Tactic",
    }
    assert history.names() == corrected | {"ninth": "Ninth"}

    # A policy dated ahead is known and not yet in force.
    later = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    history.edit(lambda tiers: tiers["tier_2"].update(tier_name="Coming", policy_date=later))
    assert history.names() == corrected | {"ninth": "Ninth"}
    assert history.printed["tier_2"] == "Tactic"

    # Gone and back with the same date; nothing overlaps, and facts find their wording again.
    kept = history.seed.read_text()
    history.edit(lambda tiers: tiers.pop("tier_9"))
    assert history.names()["autumn"] == "Tactic"
    history.seed.write_text(kept)
    assert history.names() == corrected | {"ninth": "Ninth"}
