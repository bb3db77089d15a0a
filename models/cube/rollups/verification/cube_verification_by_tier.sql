{#- Grain: one tier, over all that was ever executed, under its present name. What `grace-dbt refresh` prints. -#}
with days as (
    select * from {{ ref('cube_daily_verification_by_tier') }}
),

names as (
    select
        tier_code,
        tier_name,
        row_number() over (partition by tier_code order by is_current desc, effective_from desc) as recency
    from {{ ref('dim_tier') }}
),

totals as (
    select
        tier_code,
        cast(sum(total_executions) as {{ dbt.type_bigint() }}) as total_executions,
        cast(sum(successful_executions) as {{ dbt.type_bigint() }}) as successful_executions,
        cast(sum(rollbacks) as {{ dbt.type_bigint() }}) as rollbacks
    from days
    group by tier_code
),

final as (
    select
        totals.tier_code,
        names.tier_name,
        totals.total_executions,
        totals.successful_executions,
        totals.rollbacks,
        cast(totals.successful_executions as double precision) / totals.total_executions as success_rate
    from totals
    inner join names on names.tier_code = totals.tier_code and names.recency = 1
)

select * from final
