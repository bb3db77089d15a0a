"""Oversight: approvals, votes of the parliament, constitutional checks, governance decisions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from math import sqrt
from random import Random

from grace_dbt.simulation.chance import Deck, share, spread
from grace_dbt.simulation.clock import SECOND
from grace_dbt.simulation.rhythm import Slot
from grace_dbt.simulation.vocabulary import APPROVERS
from grace_dbt.simulation.world import World

POLICY_VERSION = "2025.10.2"
PRINCIPLES = 12
REFUSED = 0.06  # share of the answered requests
GRANTS = ("Reviewed", "Within policy", "Rehearsed on staging", "Change window agreed")
REFUSALS = ("Not needed", "No rollback path", "Wait for the change window", "Ask for less")
WISHES = (
    "Wider access for a shard",
    "Raise the nightly compute budget",
    "Allow a new outbound host",
    "Keep a debug session open past its limit",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an approval request.

    Attributes:
        number: The request.
        status: pending, approved or rejected.
        decided: The moment of the answer; the end of the span or later while pending.
        by: Who answered.
    """

    number: int
    status: str
    decided: int
    by: str | None


class Oversight:
    """Asks people, and records what they answered."""

    def __init__(self, world: World) -> None:
        """Start with no request."""
        self._world = world
        self._rng: Random = world.stream("oversight")
        self._requests = world.book.page(
            "approval_requests",
            "id event_id status requested_by reason decision_by decision_reason"
            " created_at decided_at",
        )
        self._checks = world.book.page(
            "constitutional_compliance",
            "id action_id actor action_type resource principles_checked principles_passed"
            " principles_failed compliant compliance_score explanation_provided reasoning_logged"
            " approval_obtained verification_signed violation_ids created_at audit_log_id",
        )
        self._verdicts = Deck(self._rng, {"approved": 1 - REFUSED, "rejected": REFUSED})
        self._votes = Deck(self._rng, {"approve": 0.74, "reject": 0.17, "abstain": 0.09})
        self._findings = Deck(self._rng, {"verified": 0.8, "pending": 0.17, "failed": 0.03})
        self._decisions = world.serial(self._rng, "decision_")
        self._sessions = 0
        self._vote_share = min(0.3, 12 / sqrt(world.contracts))
        self._violations = 0
        self._event = 1000

    def ask(
        self, moment: int, slot: Slot, reason: str, requested_by: str, *, unanswered: bool = False
    ) -> Answer:
        """Raise a request; people answer within minutes at work, within hours at night."""
        world, rng = self._world, self._rng
        number = world.book.next_id("approval_requests")
        self._event += 1 + int(rng.random() * 4)
        wait = spread(rng, 40, 2_400) if slot.office else spread(rng, 300, 14_000)
        decided = moment + wait * SECOND + (int(rng.random() * SECOND) if moment % SECOND else 0)
        status, by, why = "pending", None, None
        if unanswered or decided > world.clock.last:
            decided = world.clock.last + 1
        else:
            status = self._verdicts.deal()
            by = APPROVERS[int(rng.random() * len(APPROVERS))]
            why = (GRANTS if status == "approved" else REFUSALS)[int(rng.random() * 4)]
            self._answered(moment, number, status, by, decided)
        self._requests.append((
            number, self._event, status, requested_by, reason, by, why,
            world.clock.text(moment), world.clock.text_by_now(decided),
        ))  # fmt: skip
        return Answer(number, status, decided, by)

    def wish(self, moment: int, slot: Slot, actor: str) -> None:
        """A request that guards no contract."""
        self.ask(moment, slot, WISHES[int(self._rng.random() * len(WISHES))], actor)

    def check(
        self, moment: int, contract: str, actor: str, kind: str, resource: str, *, approved: bool
    ) -> None:
        """Hold an action against the constitutional principles that apply to it."""
        rng, number = self._rng, self._world.book.next_id("constitutional_compliance")
        first = 1 + int(rng.random() * (PRINCIPLES - 4))
        checked = list(range(first, first + 3 + int(rng.random() * 2)))
        failed: list[int] = []
        violations: list[int] = []
        if rng.random() < 0.025:
            failed = [checked[int(rng.random() * len(checked))]]
            self._violations += 1
            violations = [self._violations]
        passed = [n for n in checked if n not in failed]
        explained, reasoned, signed = rng.random() < 0.93, rng.random() < 0.97, rng.random() < 0.9
        self._checks.append((
            number, contract, actor, kind, resource, str(checked), str(passed), str(failed),
            int(not failed), round(len(passed) / len(checked), 4), int(explained), int(reasoned),
            int(approved), int(signed), str(violations), self._world.clock.text(moment), None,
        ))  # fmt: skip

    def decide(self, moment: int, context: dict[str, object], risk: str, *, approved: bool) -> str:
        """Write a governance decision, final as it stands; returns its reference."""
        reference = self._decisions()
        self._world.book.add(
            "governance_decisions",
            {
                "id": f"gd_{reference[9:]}",
                "decision_id": reference,
                "context": json.dumps(context),
                "decision": "approve" if approved else "refuse",
                "policy_version": POLICY_VERSION,
                "approved": int(approved),
                "reasons": json.dumps(["within policy" if approved else "risk above the limit"]),
                "risk_level": risk,
                "created_at": self._world.clock.text(moment),
                "created_by": "policy_engine",
            },
        )
        return reference

    def _answered(self, moment: int, number: int, status: str, by: str, decided: int) -> None:
        world, rng = self._world, self._rng
        granted = status == "approved"
        world.log.record(
            decided,
            "governance",
            "approval.granted" if granted else "approval.rejected",
            f"request_{number}",
            subsystem="governance",
            payload=f'{{"decision_by": "{by}"}}',
            result=status,
        )
        world.audit.record(
            decided,
            "governance_action",
            {"request": number, "decision": status, "by": by, "action_type": "approval_decision"},
            "democratic_oversight",
        )
        if rng.random() < self._vote_share:
            self._hold_session(number, moment, decided, granted=granted)

    def _open_session(self, number: int) -> int:
        """The number of a new session, about request `number`."""
        self._sessions += 1
        return self._sessions

    def _hold_session(self, number: int, moment: int, decided: int, *, granted: bool) -> None:
        """A session of the parliament, between the request and its answer."""
        world, rng = self._world, self._rng
        session = self._open_session(number)
        for member in rng.sample(range(1, 12), 5):
            automated = member > 6
            vote = self._votes.deal()
            finding = self._findings.deal()
            at = moment + int((decided - moment) * (0.1 + 0.85 * rng.random()))
            signature = sha256(f"{session}:{member}:{vote}".encode()).hexdigest()
            world.book.add(
                "governance_votes",
                {
                    "id": world.book.next_id("governance_votes"),
                    "session_id": session,
                    "member_id": member,
                    "vote": vote,
                    "vote_weight": 1.5 if member == 1 else 1.0,
                    "reason": "Low risk" if vote == "approve" else None,
                    "automated": int(automated),
                    "confidence": share(rng, 0.55, 0.99) if automated else None,
                    "vote_signature": None if finding == "pending" else signature,
                    "verification_status": finding,
                    "created_at": world.clock.text(at),
                    "audit_log_id": None,
                },
            )
        self.decide(
            decided, {"session_id": session, "kind": "parliament"}, "high", approved=granted
        )
