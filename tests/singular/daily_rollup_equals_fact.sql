-- The rollup is a grouping of the fact: every count and sum agrees with it, and both have rows or neither has.
with rollup as (
    select
        coalesce(sum(total_executions), 0) as total_executions,
        coalesce(sum(successful_executions), 0) as successful_executions,
        coalesce(sum(rollbacks), 0) as rollbacks,
        coalesce(sum(confidence_count), 0) as confidence_count,
        coalesce(sum(duration_count), 0) as duration_count
    from {{ ref('cube_daily_verification_by_tier') }}
),

fact as (
    select
        count(*) as total_executions,
        count(case when was_successful then 1 end) as successful_executions,
        count(case when was_rolled_back then 1 end) as rollbacks,
        count(confidence_score) as confidence_count,
        count(duration_seconds) as duration_count
    from {{ ref('fact_verification_executions') }}
),

final as (
    select
        fact.total_executions as in_fact,
        rollup.total_executions as in_rollup
    from fact
    cross join rollup
    where
        fact.total_executions <> rollup.total_executions
        or fact.successful_executions <> rollup.successful_executions
        or fact.rollbacks <> rollup.rollbacks
        or fact.confidence_count <> rollup.confidence_count
        or fact.duration_count <> rollup.duration_count
)

select * from final
