"""Facts of decisions: approvals, ballots, and checks against the constitution."""

from __future__ import annotations

from collections import Counter, defaultdict

from cube_oracle.dimensions import actor_key
from cube_oracle.reading import length, member, minute_key, number, seconds, surrogate
from cube_oracle.source import Row
from cube_oracle.world import World


def approvals(world: World) -> list[Row]:
    """A request each, beside the run or contract that it guards."""
    facts = []
    for request in world.staged["approval_requests"]:
        at, status = request["created_at"], request["status"]
        run = world.run_of_request(request["id"])
        contract = world.contract_of_run(run["id"]) if run else None
        if contract is None:
            contract = world.contracts.get((request["reason"] or "").split(" ")[0])
        decided = status in ("approved", "rejected")
        facts.append({
            "approval_key": surrogate(request["id"]),
            "time_key": minute_key(at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(request["decision_by"]),
            "requester_key": actor_key(request["requested_by"]),
            "mission_key": world.mission_key(contract, at),
            "approval_id": request["id"],
            "approval_type": "playbook_run" if run else "action_contract" if contract else "other",
            "action_description": request["reason"],
            "contract_id": contract["id"] if contract else None,
            "playbook_run_id": run["id"] if run else None,
            "tier_code": contract["tier"] if contract else None,
            "approval_status": status,
            "decision_time_seconds": seconds(at, request["decided_at"]) if decided else None,
            "risk_score": number(member(run["diagnosis"], "risk_score")) if run else None,
            "was_approved": status == "approved" if decided else None,
            "is_waiting": not decided,
            "created_at": at,
            "decided_at": request["decided_at"],
        })  # fmt: skip
    return facts


def governance_votes(world: World) -> list[Row]:
    """A ballot each, held against the others of its session, one ballot one count."""
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for vote in world.staged["governance_votes"]:
        if vote["session_id"] and vote["vote"]:
            tallies[vote["session_id"]][vote["vote"]] += 1
    return [
        {
            "vote_key": surrogate(vote["id"]),
            "time_key": minute_key(vote["created_at"]),
            "vote_id": vote["id"],
            "session_id": vote["session_id"],
            "member_id": vote["member_id"],
            "vote": vote["vote"],
            "verification_status": vote["verification_status"],
            "vote_weight": vote["vote_weight"],
            "confidence": vote["confidence"],
            "is_automated": vote["automated"],
            "is_signed": vote["vote_signature"] is not None,
            "agrees_with_majority": _agrees(vote["vote"], tallies.get(vote["session_id"])),
            "created_at": vote["created_at"],
        }
        for vote in world.staged["governance_votes"]
    ]


def _agrees(vote: str | None, tally: Counter[str] | None) -> bool | None:
    """Whether a vote has more ballots than each other one; nobody can tell without a vote or where two have most."""
    if not vote or not tally:
        return None
    most = max(tally.values())
    if list(tally.values()).count(most) > 1:
        return None
    return tally[vote] == most


def constitutional_compliance(world: World) -> list[Row]:
    """A check each."""
    facts = []
    for check in world.staged["constitutional_compliance"]:
        at = check["created_at"]
        contract = world.contracts.get(check["action_id"] or "")
        facts.append({
            "compliance_key": surrogate(check["id"]),
            "time_key": minute_key(at),
            "mission_key": world.mission_key(contract, at),
            "tier_key": world.tier_key(contract, at),
            "actor_key": actor_key(check["actor"]),
            "compliance_id": check["id"],
            "action_id": check["action_id"],
            "contract_id": contract["id"] if contract else None,
            "action_type": check["action_type"],
            "resource": check["resource"],
            "principles_checked": length(check["principles_checked"]),
            "principles_failed": length(check["principles_failed"]),
            "violations": length(check["violation_ids"]),
            "compliance_score": check["compliance_score"],
            "is_compliant": check["compliant"],
            **{
                name: check[name]
                for name in ("explanation_provided", "reasoning_logged", "approval_obtained", "verification_signed")
            },
            "created_at": at,
        })  # fmt: skip
    return facts
