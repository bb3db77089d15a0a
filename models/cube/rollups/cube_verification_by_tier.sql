{#- Grain: one tier, over all that was ever executed. What `grace-dbt refresh` prints. -#}
with days as (
    select * from {{ ref('cube_daily_verification_by_tier') }}
),

final as (
    select
        tier_code,
        tier_name,
        sum(total_executions) as total_executions,
        sum(successful_executions) as successful_executions,
        sum(rollbacks) as rollbacks,
        sum(successful_executions) * 1.0 / sum(total_executions) as success_rate
    from days
    group by tier_code, tier_name
)

select * from final
