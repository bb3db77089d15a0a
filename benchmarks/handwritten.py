"""The questions of `metrics.py` as somebody writes them who knows the tables: nothing of the product is imported."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY = "make_date(year, month, day)"
SETTLED = "contract_status in ('verified', 'failed', 'rolled_back', 'partial_success')"


@dataclass(frozen=True)
class Table:
    """A fact, what is measured in it, and the rollup that it may be read from.

    Attributes:
        name: The fact.
        word: What its metrics are cut by, in the words of a question.
        column: That column.
        join: What has to be joined for it.
        measures: For each metric what it is of the fact, and of the rollup where that has it.
        ratios: Metrics that are one measure over another.
        time: Column of the time.
        rollup: The rollup; empty where there is none.
        rollup_word: What metrics are cut by where they are read from the rollup.
        rollup_column: That column.
    """

    name: str
    word: str
    column: str
    measures: dict[str, tuple[str, ...]]
    join: str = ""
    ratios: dict[str, tuple[str, str]] = field(default_factory=dict)
    time: str = "created_at"
    rollup: str = ""
    rollup_word: str = ""
    rollup_column: str = ""

    def metrics(self) -> list[str]:
        """The metrics that can be asked for."""
        return [*self.measures, *self.ratios]

    def expression(self, metric: str, *, rolled_up: bool) -> str | None:
        """What a metric is of the fact, or of the rollup; None where that does not have it."""
        parts = self.ratios.get(metric, (metric,))
        if rolled_up and any(len(self.measures[part]) == 1 for part in parts):
            return None
        written = [self.measures[part][rolled_up] for part in parts]
        return written[0] if len(written) == 1 else f"{written[0]} * 1.0 / nullif({written[1]}, 0)"

    def of_fact(self, metric: str, *, cut: bool, by_day: bool) -> str:
        """A metric over the fact."""
        joined = self.join if cut or metric == "required_snapshot_coverage" else ""
        columns = [f"date_trunc('day', {self.time})"] * by_day + [self.column] * cut
        columns.append(self.expression(metric, rolled_up=False) or "")
        window = f"{self.time} >= $since and {self.time} < $until"
        return f"select {', '.join(columns)} from {self.name} {joined} where {window} group by all"

    def of_rollup(self, metric: str, *, cut: bool, by_day: bool) -> str | None:
        """A metric over the rollup; None where that does not have it."""
        expression = self.expression(metric, rolled_up=True)
        if not self.rollup or expression is None:
            return None
        columns = [DAY] * by_day + [self.rollup_column] * cut + [expression]
        window = f"{DAY} >= $since and {DAY} < $until"
        return f"select {', '.join(columns)} from {self.rollup} where {window} group by all"


def _rows(total: str = "") -> tuple[str, ...]:
    return ("count(*)", f"sum({total})") if total else ("count(*)",)


def _where(condition: str, rolled_up: str = "") -> tuple[str, ...]:
    counted = f"count(*) filter ({condition})"
    return (counted, f"sum({rolled_up})") if rolled_up else (counted,)


def _mean(column: str, total: str = "", count: str = "") -> tuple[str, ...]:
    mean = f"avg({column})"
    return (mean, f"sum({total}) / nullif(sum({count}), 0)") if total else (mean,)


def _percentile(column: str, share: float) -> tuple[str, ...]:
    return (f"quantile_cont({column}, {share})",)


TIERS = "join dim_tier using (tier_key)"
TABLES = (
    Table(
        "fact_verification_executions", "tier", "dim_tier.tier_code", join=TIERS,
        rollup="cube_daily_verification_by_tier", rollup_word="tier", rollup_column="tier_code",
        measures={
            "executions": _rows("total_executions"),
            "successful_executions": _where("was_successful", "successful_executions"),
            "rolled_back_executions": _where("was_rolled_back", "rollbacks"),
            "failed_executions": _where("contract_status = 'failed'", "failed_executions"),
            "settled_executions": _where(SETTLED, "total_executions - open_executions"),
            "average_confidence": _mean("confidence_score", "confidence_sum", "confidence_count"),
            "average_duration": _mean("duration_seconds", "duration_seconds_sum", "duration_count"),
            "executions_with_snapshot": _where("created_snapshot"),
            "longest_duration": ("max(duration_seconds)",),
            "duration_p50": _percentile("duration_seconds", 0.5),
            "duration_p95": _percentile("duration_seconds", 0.95),
            "required_snapshot_coverage": (
                "count(*) filter (created_snapshot and requires_snapshot) * 1.0"
                " / nullif(count(*) filter (requires_snapshot), 0)",
            ),
        },
        ratios={
            "verification_success_rate": ("successful_executions", "executions"),
            "settled_verification_success_rate": ("successful_executions", "settled_executions"),
            "rollback_rate": ("rolled_back_executions", "executions"),
            "settled_rollback_rate": ("rolled_back_executions", "settled_executions"),
            "snapshot_coverage": ("executions_with_snapshot", "executions"),
        },
    ),
    Table(
        "fact_benchmark_runs", "tier", "dim_tier.tier_code", join=TIERS,
        rollup="cube_drift", rollup_word="benchmark_type", rollup_column="benchmark_type",
        measures={
            "benchmarks": _rows("total_runs"),
            "passed_benchmarks": _where("has_passed", "passed_runs"),
            "drifted_benchmarks": _where("drift_detected", "drifted_runs"),
            "average_drift": _mean("drift_score", "drift_score_sum", "drift_score_count"),
            "largest_drift": ("max(drift_score)",),
        },
        ratios={
            "benchmark_pass_rate": ("passed_benchmarks", "benchmarks"),
            "drift_rate": ("drifted_benchmarks", "benchmarks"),
        },
    ),
    Table(
        "fact_error_events", "severity", "severity",
        rollup="cube_error_trends", rollup_word="severity", rollup_column="severity",
        measures={
            "error_count": _rows("error_count"),
            "resolved_errors": _where("was_resolved", "resolved_count"),
            "auto_resolved_errors": _where("was_auto_resolved", "auto_resolved_count"),
            "errors_with_human_intervention": _where(
                "required_human_intervention", "human_intervention_count"
            ),
            "average_time_to_resolve": _mean(
                "resolution_time_seconds", "resolution_seconds_sum", "resolution_count"
            ),
            "time_to_resolve_p50": _percentile("resolution_time_seconds", 0.5),
            "time_to_resolve_p95": _percentile("resolution_time_seconds", 0.95),
        },
        ratios={
            "auto_resolution_rate": ("auto_resolved_errors", "error_count"),
            "settled_auto_resolution_rate": ("auto_resolved_errors", "resolved_errors"),
            "human_intervention_rate": ("errors_with_human_intervention", "error_count"),
        },
    ),
    Table(
        "fact_approvals", "tier", "dim_tier.tier_code", join=TIERS,
        rollup="cube_approval_latency", rollup_word="tier", rollup_column="tier_code",
        measures={
            "approval_requests": _rows("total_requests"),
            "approved_requests": _where("was_approved", "approved_requests"),
            "decided_requests": _where(
                "was_approved is not null", "approved_requests + rejected_requests"
            ),
            "average_decision_latency": _mean(
                "decision_time_seconds", "decision_seconds_sum", "decision_count"
            ),
            "decision_latency_p50": _percentile("decision_time_seconds", 0.5),
            "decision_latency_p95": _percentile("decision_time_seconds", 0.95),
        },
        ratios={
            "approval_rate": ("approved_requests", "approval_requests"),
            "settled_approval_rate": ("approved_requests", "decided_requests"),
        },
    ),
    Table(
        "fact_playbook_runs", "tier", "dim_tier.tier_code", join=TIERS,
        rollup="cube_playbook_effectiveness", rollup_word="playbook", rollup_column="playbook_id",
        measures={
            "playbook_runs": _rows("total_runs"),
            "successful_playbook_runs": _where("was_successful", "successful_runs"),
            "ended_playbook_runs": _where("not is_open", "total_runs - open_runs"),
            "average_playbook_duration": _mean("run_seconds", "run_seconds_sum", "run_seconds_count"),
            "playbook_duration_p95": _percentile("run_seconds", 0.95),
        },
        ratios={
            "playbook_success_rate": ("successful_playbook_runs", "playbook_runs"),
            "settled_playbook_success_rate": ("successful_playbook_runs", "ended_playbook_runs"),
        },
    ),
    Table(
        "fact_healing_actions", "action_type", "action_type",
        rollup="cube_healing_effectiveness", rollup_word="action_type", rollup_column="action_type",
        measures={
            "healing_actions": _rows("total_actions"),
            "successful_healing_actions": _where("was_successful", "successful_actions"),
        },
        ratios={"healing_effectiveness": ("successful_healing_actions", "healing_actions")},
    ),
    Table(
        "fact_execution_tasks", "task_type", "task_type",
        rollup="cube_queue", rollup_word="task_type", rollup_column="task_type",
        measures={
            "tasks": _rows("total_tasks"),
            "failed_tasks": _where("has_failed", "failed_tasks"),
            "average_queue_wait": _mean("queue_seconds", "queue_seconds_sum", "queue_seconds_count"),
            "average_task_duration": _mean("run_seconds", "run_seconds_sum", "run_seconds_count"),
            "queue_wait_p50": _percentile("queue_seconds", 0.5),
            "queue_wait_p95": _percentile("queue_seconds", 0.95),
        },
    ),
    Table(
        "fact_execution_tasks", "task_type", "task_type", time="completed_at",
        measures={"throughput": _where("was_successful")},
    ),
    Table(
        "fact_governance_votes", "vote", "vote",
        measures={
            "votes": _rows(),
            "votes_with_majority": _where("agrees_with_majority"),
            "votes_under_majority": _where("agrees_with_majority is not null"),
        },
        ratios={
            "vote_agreement": ("votes_with_majority", "votes"),
            "settled_vote_agreement": ("votes_with_majority", "votes_under_majority"),
        },
    ),
    Table(
        "fact_constitutional_compliance", "tier", "dim_tier.tier_code", join=TIERS,
        measures={
            "compliance_checks": _rows(),
            "compliant_checks": _where("is_compliant"),
            "average_compliance_score": _mean("compliance_score"),
        },
        ratios={"compliance_rate": ("compliant_checks", "compliance_checks")},
    ),
    Table(
        "fact_mission_progress", "mission_type", "dim_mission.mission_type",
        time="fact_mission_progress.started_at",
        join="join dim_mission using (mission_key)",
        measures={
            "missions": _rows(),
            "completed_missions": _where("was_successful"),
            "ended_missions": _where("fact_mission_progress.final_status in ('completed', 'failed')"),
            "mission_progress": _mean("progress_ratio"),
            "average_mission_duration": _mean("duration_seconds"),
        },
        ratios={
            "mission_completion_rate": ("completed_missions", "missions"),
            "settled_mission_completion_rate": ("completed_missions", "ended_missions"),
        },
    ),
)  # fmt: skip

# Of each day, those of the days that it looks back at.
LOOKS_BACK = {
    "7d": "daily.day between days.day - 6 and days.day",
    "to_date": "daily.day <= days.day",
    "month_to_date": "daily.day between date_trunc('month', days.day) and days.day",
}
# Metric: what it counts of a day, and what it is of the days it looks back at.
ROLLING = {
    "executions_7d": ("executions", "7d"),
    "successful_executions_7d": ("successful_executions", "7d"),
    "executions_to_date": ("executions", "to_date"),
    "executions_month_to_date": ("executions", "month_to_date"),
    "errors_7d": ("error_count", "7d"),
}


def rolling(metric: str, *, rolled_up: bool) -> tuple[str, str]:
    """A metric that looks back, by day: over the fact by a slice that no rollup has.

    Returns:
        The word that it is cut by, and the SQL.
    """
    counted, span = ROLLING[metric]
    [table] = [table for table in TABLES if counted in table.measures]
    fact_word, fact_column = {
        "fact_verification_executions": ("status", "contract_status"),
        "fact_error_events": ("error_type", "error_type"),
    }[table.name]
    word, column = (
        (table.rollup_word, table.rollup_column) if rolled_up else (fact_word, fact_column)
    )
    day, source = (DAY, table.rollup) if rolled_up else ("cast(created_at as date)", table.name)
    sql = f"""
        with daily as (
            select {day} as day, {column} as slice, {table.expression(counted, rolled_up=rolled_up)} as counted
            from {source} group by all
        ),
        days as (select distinct cast(timestamp as date) as day from dim_time where timestamp is not null)
        select days.day, slice, sum(counted)
        from days inner join daily on {LOOKS_BACK[span]}
        where days.day >= cast($since as date) and days.day < $until
        group by all
    """
    return word, sql


# By day alone: the components that fail are others than those that execute.
ERRORS_PER_EXECUTION = """
    with failing as (
        select date_trunc('day', created_at) as day, count(*) as errors
        from fact_error_events where created_at >= $since and created_at < $until group by all
    ),
    running as (
        select date_trunc('day', created_at) as day, count(*) as executions
        from fact_verification_executions where created_at >= $since and created_at < $until group by all
    )
    select day, errors / nullif(executions, 0) from running full join failing using (day)
"""
