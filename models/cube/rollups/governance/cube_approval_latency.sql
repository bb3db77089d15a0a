{#-
    Grain: one day (UTC), tier, name of the tier and kind of approval; requests without a readable time stand on the day of
    NULLs.
-#}
with approvals as (
    select * from {{ ref('fact_approvals') }}
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
        approvals.approval_type,

        count(*) as total_requests,
        count(case when approvals.was_approved then 1 end) as approved_requests,
        count(case when not approvals.was_approved then 1 end) as rejected_requests,
        count(case when approvals.is_waiting then 1 end) as waiting_requests,

        sum(approvals.decision_time_seconds) as decision_seconds_sum,
        count(approvals.decision_time_seconds) as decision_count,
        avg(approvals.decision_time_seconds) as avg_decision_seconds
    from approvals
    inner join minutes on minutes.time_key = approvals.time_key
    inner join tiers on tiers.tier_key = approvals.tier_key
    group by
        minutes.year, minutes.month, minutes.day, tiers.tier_code, tiers.tier_name, approvals.approval_type
)

select * from final
