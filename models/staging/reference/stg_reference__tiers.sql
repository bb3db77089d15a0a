with source as (
    select * from {{ ref('tiers') }}
),

final as (
    select
        tier_code,
        tier_name,
        {{ read_boolean('requires_approval') }} as requires_approval,
        {{ read_boolean('requires_snapshot') }} as requires_snapshot,
        {{ read_boolean('requires_benchmark') }} as requires_benchmark,
        risk_level,
        description,
        {{ parse_timestamp('policy_date') }} as policy_date
    from source
)

select * from final
