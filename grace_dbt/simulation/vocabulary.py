"""The names that a Grace uses: people, services, actions, errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

USERS = (
    "alice", "bob", "carol", "dave", "erin", "frank", "grace.hopper", "heidi", "ivan", "judy",
    "mallory", "niaj", "olivia", "peggy",
)  # fmt: skip
APPROVERS = ("carol", "dave", "heidi", "olivia")
SHARDS = 6
SYSTEMS = {"sentinel": 0.6, "scheduler": 0.25, "health_monitor": 0.15}
PLANS = ("capacity_plan", "drift_response", "nightly_optimizer", "cost_trim", "plan_7", "plan_12")
FREE_TEXTS = (
    "manual run by the operator on call",
    "cron",
    "console session 14",
    "post-deploy checklist",
    "alice (via slack)",
)
COMPONENTS = (
    "input_sentinel", "action_executor", "hunter", "cognition_authority", "policy_engine",
    "shard_orchestrator",
)  # fmt: skip
SERVICES = ("api", "database", "cache", "message_bus", "ingress", "model_server", "scheduler")
SEVERITIES = {"low": 0.45, "medium": 0.33, "high": 0.17, "critical": 0.05}


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of operation on one service, with the terms that a contract for it states.

    Attributes:
        kind: The action type.
        deed: What an approval request says it does.
        service: The service acted upon.
        resource: The service as a resource name.
        terms: The expected effect, canonical JSON.
        digest: SHA-256 of the terms.
        criteria: How many success criteria there are.
        good: The actual effect when they are met, JSON.
        bad: The actual effect when they are not.
    """

    kind: str
    deed: str
    service: str
    resource: str
    terms: str
    digest: str
    criteria: int
    good: str
    bad: str


KINDS: dict[str, tuple[tuple[str, str, str, tuple[str, ...]], ...]] = {
    "tier_1": (
        ("restart_service", "restarts", "healthy", ("health_check", "error_rate_below")),
        ("clear_cache", "clears the cache of", "warm", ("hit_rate_above",)),
        ("rotate_logs", "rotates the logs of", "rotated", ("disk_free_above",)),
        ("warm_cache", "warms the cache of", "warm", ("hit_rate_above", "latency_below")),
        ("requeue_messages", "requeues messages of", "drained", ("queue_empty", "no_duplicates")),
    ),
    "tier_2": (
        ("scale_up", "scales up", "scaled", ("replicas_ready", "latency_below")),
        ("deploy_config", "deploys configuration to", "configured",
         ("config_applied", "health_check", "error_rate_below")),
        ("patch_dependency", "patches a dependency of", "patched",
         ("tests_pass", "health_check")),
        ("failover_replica", "fails over a replica of", "failed_over",
         ("replica_promoted", "lag_below", "health_check")),
    ),
    "tier_3": (
        ("migrate_schema", "migrates a schema of", "migrated",
         ("migration_applied", "row_counts_match", "health_check")),
        ("rotate_keys", "rotates production keys of", "rotated",
         ("old_key_revoked", "clients_reconnected")),
        ("change_policy", "changes a policy of", "in_force", ("policy_loaded", "no_violations")),
        ("widen_autonomy", "widens the autonomy of", "widened",
         ("guardrails_active", "approval_on_file", "no_violations")),
    ),
}  # fmt: skip


def _action(kind: str, deed: str, state: str, criteria: tuple[str, ...], service: str) -> Action:
    resource = f"service:{service}"
    terms = json.dumps(
        {
            "min_confidence": 0.7,
            "success_criteria": list(criteria),
            "target": {"resource": resource, "state": state},
        },
        sort_keys=True,
    )
    return Action(
        kind,
        f"{deed} {service}",
        service,
        resource,
        terms,
        sha256(terms.encode()).hexdigest(),
        len(criteria),
        json.dumps({"resource": resource, "state": state}),
        json.dumps({"resource": resource, "state": "degraded"}),
    )


ACTIONS: dict[str, tuple[Action, ...]] = {
    tier: tuple(_action(*kind, service=service) for kind in kinds for service in SERVICES)
    for tier, kinds in KINDS.items()
}

# Error type, text, and what a failed contract says about it.
ERRORS = (
    ("TimeoutError", "request timed out after 30 s"),
    ("ConnectionError", "connection refused by upstream"),
    ("ValidationError", "payload failed schema validation"),
    ("CacheStale", "cache stale beyond its limit"),
    ("OutOfMemory", "worker exceeded its memory limit"),
    ("PermissionError", "token lacks the scope for this call"),
    ("DiskPressure", "volume above 90 percent"),
)
FAILURES = (
    "health check failed after the action",
    "error rate rose above baseline",
    "latency above the agreed limit",
    "target state not reached in time",
    "dependency not reachable",
    "replica lag did not recover",
)
PLAYBOOKS = (
    ("restart_and_verify", 7, ("drain traffic", "restart workers", "check health")),
    ("cache_reset", 11, ("stop writers", "flush cache", "warm cache", "check hit rate")),
    (
        "config_rollout",
        13,
        ("validate config", "apply to canary", "apply to all", "compare metrics"),
    ),
    ("failover", 17, ("fence primary", "promote replica", "repoint clients", "check lag")),
)
