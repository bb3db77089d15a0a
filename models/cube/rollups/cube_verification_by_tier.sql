{#- Grain: one tier, over all that was ever executed. What `grace-dbt refresh` prints. -#}
with days as (
    select * from {{ ref('cube_daily_verification_by_tier') }}
),

final as (
    select
        tier_code,
        tier_name,
        cast(sum(total_executions) as {{ dbt.type_bigint() }}) as total_executions,
        cast(sum(successful_executions) as {{ dbt.type_bigint() }}) as successful_executions,
        cast(sum(rollbacks) as {{ dbt.type_bigint() }}) as rollbacks,
        sum(successful_executions) * 1.0 / sum(total_executions) as success_rate
    from days
    group by tier_code, tier_name
)

select * from final
