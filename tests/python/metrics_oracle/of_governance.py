"""Metrics of approvals, ballots, and checks against the constitution."""

from __future__ import annotations

from metrics_oracle.meanings import Meaning, Over

requests = Over("fact_approvals")
ballots = Over("fact_governance_votes")
checks = Over("fact_constitutional_compliance")

APPROVED = (lambda row: row["approval_status"] == "approved"), "f.approval_status = 'approved'"
DECIDED = (
    (lambda row: row["approval_status"] in ("approved", "rejected")),
    "f.approval_status in ('approved', 'rejected')",
)
WITH_MAJORITY = (lambda row: row["agrees_with_majority"] is True), "f.agrees_with_majority"
UNDER_MAJORITY = (
    (lambda row: row["agrees_with_majority"] is not None),
    "f.agrees_with_majority in (true, false)",
)
COMPLIANT = (lambda row: row["is_compliant"] is True), "f.is_compliant"

METRICS: dict[str, Meaning] = {
    "approval_requests": requests.rows(),
    "approved_requests": requests.those(*APPROVED),
    "decided_requests": requests.those(*DECIDED),
    "approval_rate": requests.share(*APPROVED),
    "settled_approval_rate": requests.share(*APPROVED, *DECIDED),
    "average_decision_latency": requests.mean("decision_time_seconds"),
    "decision_latency_p50": requests.percentile("decision_time_seconds", 0.5),
    "decision_latency_p95": requests.percentile("decision_time_seconds", 0.95),
    "votes": ballots.rows(),
    "votes_with_majority": ballots.those(*WITH_MAJORITY),
    "votes_under_majority": ballots.those(*UNDER_MAJORITY),
    "vote_agreement": ballots.share(*WITH_MAJORITY),
    "settled_vote_agreement": ballots.share(*WITH_MAJORITY, *UNDER_MAJORITY),
    "compliance_checks": checks.rows(),
    "compliant_checks": checks.those(*COMPLIANT),
    "compliance_rate": checks.share(*COMPLIANT),
    "average_compliance_score": checks.mean("compliance_score"),
}
