"""One contract while it is being told: what happened, before it becomes a row."""

from __future__ import annotations

from dataclasses import dataclass

from grace_dbt.simulation.missions import Mission
from grace_dbt.simulation.rhythm import Slot
from grace_dbt.simulation.vocabulary import Action


@dataclass(slots=True)
class Case:
    """One contract.

    Attributes:
        started: When work on it began, after any approval; None while it waits.
        executed: When the action had run; None before.
        verified: When the outcome was compared with the intent; None before.
        undone: When a rollback ended; None without one.
        late_rollback: Whether it was verified first and rolled back afterwards.
        fault: What went wrong, in words.
    """

    id: str
    action: Action
    tier: str | None
    actor: str | None
    slot: Slot
    created: int
    step: int
    mission: Mission | None = None
    error: str | None = None
    error_type: str = ""
    severity: str = ""
    status: str = "pending"
    approval: int | None = None
    approved: bool = False
    started: int | None = None
    executed: int | None = None
    verified: int | None = None
    undone: int | None = None
    late_rollback: bool = False
    confidence: float | None = None
    fault: str | None = None
    snapshot: str | None = None
    playbook: str | None = None
    playbook_run: int | None = None

    @property
    def settled(self) -> bool:
        """Whether its outcome is known."""
        return self.status not in ("pending", "executing")
