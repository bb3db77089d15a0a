{#-
    Grain: one day (UTC), tier and name of the tier; executions without a readable time stand on the unknown day. Sums and counts are kept
    beside each average: an average of averages would be wrong.
-#}
with executions as (
    select * from {{ ref('fact_verification_executions') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

tiers as (
    select * from {{ ref('dim_tier') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        tiers.tier_code,
        tiers.tier_name,

        count(*) as total_executions,
        count(case when executions.was_successful then 1 end) as successful_executions,
        count(case when executions.contract_status = 'failed' then 1 end) as failed_executions,
        count(case when executions.was_rolled_back then 1 end) as rollbacks,
        count(case when executions.contract_status = 'partial_success' then 1 end) as partial_executions,
        count(
            case
                when executions.contract_status in ('verified', 'failed', 'rolled_back', 'partial_success') then null
                else 1
            end
        ) as open_executions,

        avg(executions.confidence_score) as avg_confidence,
        sum(executions.confidence_score) as confidence_sum,
        count(executions.confidence_score) as confidence_count,
        avg(executions.duration_seconds) as avg_duration_seconds,
        sum(executions.duration_seconds) as duration_seconds_sum,
        count(executions.duration_seconds) as duration_count
    from executions
    inner join minutes on minutes.time_key = executions.time_key
    inner join tiers on tiers.tier_key = executions.tier_key
    group by minutes.year, minutes.month, minutes.day, tiers.tier_code, tiers.tier_name
)

select * from final
