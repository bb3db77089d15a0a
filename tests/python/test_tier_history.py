"""What becomes of dim_tier and of the facts when the policy of a tier changes, is corrected, goes and comes back."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cube_oracle.rows import contract, insert
from edited_project import EditedProject, Lines

Names = dict[str, str]
TIMES = {
    "spring": "2025-04-01 00:00:00", "before": "2025-06-30 23:59:59.999999", "boundary": "2025-07-01 00:00:00",
    "autumn": "2025-10-01 00:00:00",
}  # fmt: skip


class History(EditedProject):
    """A contract for each moment, and one of a tier that no policy names."""

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        with sqlite3.connect(self.database) as connection:
            for name, moment in TIMES.items():
                insert(
                    connection, "action_contracts", contract(name, tier="tier_2", created_at=moment)
                )
            insert(connection, "action_contracts", contract("ninth", tier="tier_9"))

    def names(self, *, full: bool = False) -> Names:
        """The name of the tier that each fact stands under, after a refresh."""
        report = self.refresh(full=full)
        self.printed = {tier.tier_code: tier.tier_name for tier in report.tiers}
        return dict(
            self.rows(
                "select contract_id, tier_name from fact_verification_executions join dim_tier using (tier_key)"
            )
        )


def test_a_policy_through_its_life(tmp_path: Path, templates: Path) -> None:
    history = History(tmp_path, templates / "fresh.sqlite")
    everywhere = dict.fromkeys(TIMES, "Tactical")
    assert history.names() == everywhere | {"ninth": "Unknown"}

    # A new name from July on: facts before it keep the old one, the boundary belongs to the new one.
    history.edit(
        "tiers",
        lambda tiers: tiers["tier_2"].update(tier_name="Tactique", policy_date="2025-07-01"),
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
    def correct(tiers: Lines) -> None:
        tiers["tier_2"].update(tier_name="Tactic")
        tiers["tier_9"] = tiers["tier_3"] | {"tier_code": "tier_9", "tier_name": "Ninth"}

    history.edit("tiers", correct)
    corrected = {
        "spring": "Tactical",
        "before": "Tactical",
        "boundary": "Tactic",
        "autumn": "Tactic",
    }
    assert history.names() == corrected | {"ninth": "Ninth"}

    # A policy dated ahead is known and not yet in force.
    later = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    history.edit(
        "tiers", lambda tiers: tiers["tier_2"].update(tier_name="Coming", policy_date=later)
    )
    assert history.names() == corrected | {"ninth": "Ninth"}
    assert history.printed["tier_2"] == "Tactic"

    # Gone and back with the same date; nothing overlaps, and facts find their wording again.
    kept = history.seed("tiers").read_text()
    history.edit("tiers", lambda tiers: tiers.pop("tier_9"))
    assert history.names()["autumn"] == "Tactic"
    history.seed("tiers").write_text(kept)
    assert history.names() == corrected | {"ninth": "Ninth"}
