-- The rollup is a grouping of the fact: for every day and tier each count and sum is the one that the fact gives.
with days as (
    select
        case when time_key < 0 then 0 else cast((time_key - time_key % 10000) / 10000 as integer) end as day_key,
        *
    from {{ ref('fact_verification_executions') }}
),

fact as (
    select
        days.day_key,
        tiers.tier_code,
        tiers.tier_name,
        count(*) as total_executions,
        count(case when days.was_successful then 1 end) as successful_executions,
        count(case when days.was_rolled_back then 1 end) as rollbacks,
        coalesce(sum(days.confidence_score), 0) as confidence_sum,
        coalesce(sum(days.duration_seconds), 0) as duration_seconds_sum
    from days
    inner join {{ ref('dim_tier') }} as tiers on tiers.tier_key = days.tier_key
    group by days.day_key, tiers.tier_code, tiers.tier_name
),

rollup as (
    select
        case when year is null then 0 else year * 10000 + month * 100 + day end as day_key,
        *
    from {{ ref('cube_daily_verification_by_tier') }}
),

final as (
    select
        fact.day_key,
        fact.tier_code,
        fact.total_executions as in_fact,
        rollup.total_executions as in_rollup
    from fact
    left join rollup
        on rollup.day_key = fact.day_key and rollup.tier_code = fact.tier_code and rollup.tier_name = fact.tier_name
    where
        rollup.total_executions is null
        or rollup.total_executions <> fact.total_executions
        or rollup.successful_executions <> fact.successful_executions
        or rollup.rollbacks <> fact.rollbacks
        or abs(coalesce(rollup.confidence_sum, 0) - fact.confidence_sum) > 0.000001 * (1 + abs(fact.confidence_sum))
        or abs(coalesce(rollup.duration_seconds_sum, 0) - fact.duration_seconds_sum)
        > 0.000001 * (1 + abs(fact.duration_seconds_sum))

    union all

    -- Every fact is in a group above, so equal totals leave no group of the rollup over.
    select
        null as day_key,
        'all' as tier_code,
        (select count(*) from {{ ref('fact_verification_executions') }}) as in_fact,
        coalesce(sum(total_executions), 0) as in_rollup
    from {{ ref('cube_daily_verification_by_tier') }}
    having coalesce(sum(total_executions), 0) <> (select count(*) from {{ ref('fact_verification_executions') }})
)

select * from final
