with versions as (
    select * from {{ ref('snap_tiers') }}
),

final as (
    select
        {{ surrogate_key(['tier_code', timestamp_text('dbt_valid_from')]) }} as tier_key,
        tier_code,
        tier_name,
        requires_approval,
        requires_snapshot,
        requires_benchmark,
        risk_level,
        description,
        dbt_valid_to is null as is_current,
        {{ effective_from('tier_code', 'dbt_valid_from') }} as effective_from,
        dbt_valid_to as effective_to
    from versions

    union all

    select
        {{ unknown_key() }} as tier_key,
        'unknown' as tier_code,
        'Unknown' as tier_name,
        null as requires_approval,
        null as requires_snapshot,
        null as requires_benchmark,
        'unknown' as risk_level,
        'No tier, or one that no policy names' as description,
        {{ truth(true) }} as is_current,
        {{ timestamp_literal('1900-01-01 00:00:00.000000') }} as effective_from,
        {{ null_timestamp() }} as effective_to
)

select * from final
