{#-
    Grain: one wording of one tier's policy. The snapshot keeps what was recorded; here it is read as corrected since: a
    wording replaced under the same date never held, nor did one whose date was moved to before its beginning.
-#}
with recorded as (
    select
        *,
        row_number() over (
            partition by tier_code, dbt_valid_from
            order by case when dbt_valid_to is null then 0 else 1 end, dbt_valid_to desc
        ) as recency
    from {{ ref('snap_tiers') }}
    where dbt_valid_to is null or dbt_valid_to > dbt_valid_from
),

versions as (
    select
        *,
        {{ effective_from('tier_code', 'dbt_valid_from') }} as effective_from,
        coalesce(
            lead(dbt_valid_from) over (partition by tier_code order by dbt_valid_from),
            dbt_valid_to
        ) as effective_to
    from recorded
    where recency = 1
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
        effective_from <= {{ run_clock() }}
        and (effective_to is null or effective_to > {{ run_clock() }}) as is_current,
        effective_from,
        effective_to
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
        {{ beginning() }} as effective_from,
        {{ null_timestamp() }} as effective_to
)

select * from final
