"""Rows on their way to the database, by table, parents before children."""

from __future__ import annotations

from collections.abc import Callable

from grace_dbt.errors import GraceError, listed
from grace_dbt.operational.backend import Backend, Row
from grace_dbt.operational.url import OperationalUrl

CHUNK = 20_000  # rows held at most before they are written

# Written in this order, so that a row never comes before the row it refers to. Tables that are not
# listed stay empty: curriculum and augmentation are optional in Grace, and kernel snapshots are
# taken on request.
TABLES = (
    # the cube's sources
    "approval_requests", "playbook_runs", "playbook_step_runs", "action_contracts",
    "safe_hold_snapshots", "benchmark_runs", "mission_timelines", "immutable_log",
    "security_events", "agentic_insights", "healing_actions", "governance_votes",
    "constitutional_compliance", "execution_tasks", "shard_heartbeats",
    # core, common, communications
    "audit_logs", "chain_verification", "log_categories", "structured_memory",
    "governance_decisions", "instance_states", "snapshots", "rollback_history",
    "dlq_entries", "message_dedupe",
    # ingress
    "sources", "source_health", "bronze_raw_events", "silver_records", "silver_articles",
    "silver_transcripts", "silver_tabular", "gold_article_topics", "gold_entity_mentions",
    "gold_feature_datasets", "processing_metrics", "validation_failures", "source_trust_history",
    # intelligence
    "intel_requests", "intel_plans", "intel_results", "intel_specialist_reports",
    "intel_experiences", "intel_canary_deployments", "intel_shadow_deployments",
    "intel_policy_violations",
    # learning
    "datasets", "dataset_versions", "feature_views", "label_policies", "label_tasks", "labels",
    "active_queries", "quality_reports", "weak_labelers", "weak_predictions",
    "learning_experiences",
    # memory
    "lightning_memory", "fusion_memory", "librarian_index", "memory_access_patterns",
    "memory_stats", "memory_operations", "memory_cleanup_tasks",
    # orchestration, resilience
    "orchestration_state", "orchestration_loops", "orchestration_tasks", "policies",
    "state_transitions", "circuit_breakers", "degradation_policies", "active_degradations",
    "resilience_incidents", "rate_limits", "sli_measurements", "recovery_actions",
    # mlt, mldl
    "mlt_experiences", "mlt_insights", "mlt_plans", "mlt_specialist_reports",
    "models", "model_approvals", "model_deployments", "model_metrics", "slo_violations",
    "alerts", "canary_progress", "deployment_rollback_history",
)  # fmt: skip


def require_tables(url: OperationalUrl, database: Backend) -> None:
    """Fail where a table is missing.

    Raises:
        GraceError: With what creates it.
    """
    present = database.reflect(TABLES).tables
    missing = [table for table in TABLES if table not in present]
    if missing:
        raise GraceError(
            f"The database {url} lacks {listed(missing)}.",
            f"Create the tables first: grace-dbt init --db {url}",
        )


class Book:
    """Collects rows and writes them in chunks.

    Attributes:
        written: Rows written so far, by table.
    """

    def __init__(self, database: Backend, progress: Callable[[str, int], None] | None) -> None:
        """Start with nothing held."""
        self._database = database
        self._progress = progress
        self._columns: dict[str, tuple[str, ...]] = {}
        self._held: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._ids = dict.fromkeys(TABLES, 0)
        self.written = dict.fromkeys(TABLES, 0)

    def page(self, table: str, columns: str) -> list[Row]:
        """The list to append tuples to, for a table with many rows.

        Args:
            table: The table.
            columns: Its columns as words, in the order of the tuples.
        """
        self._columns[table] = tuple(columns.split())
        return self._held[table]

    def add(self, table: str, row: dict[str, object]) -> None:
        """Hold one row, by column; all rows of a table give the same columns in the same order."""
        columns = self._columns.setdefault(table, tuple(row))
        if tuple(row) != columns:
            raise ValueError(f"A row of {table} has other columns than the first one.")
        self._held[table].append(tuple(row.values()))

    def next_id(self, table: str) -> int:
        """The next number of a table whose keys the database counts."""
        self._ids[table] += 1
        return self._ids[table]

    def settle(self, *, at_least: int = CHUNK) -> None:
        """Write what is held once it is enough; zero writes all."""
        if sum(map(len, self._held.values())) < at_least:
            return
        for table, rows in self._held.items():
            if rows:
                self._database.insert(table, self._columns[table], rows)
                self.written[table] += len(rows)
                rows.clear()
                if self._progress:
                    self._progress(table, self.written[table])
