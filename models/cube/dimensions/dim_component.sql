{#-
    Grain: one description of one component. A version holds from the refresh that found it, the first one from the
    beginning.
-#}
with recorded as (
    select * from {{ ref('snap_components') }}
),

versions as (
    select
        *,
        {{ effective_from('component_name', 'dbt_valid_from') }} as effective_from,
        lead(dbt_valid_from) over (partition by component_name order by dbt_valid_from) as effective_to
    from recorded
),

final as (
    select
        {{ surrogate_key(['component_name', timestamp_text('effective_from')]) }} as component_key,
        component_name,
        subsystem,
        tier_default,
        description,
        effective_to is null as is_current,
        effective_from,
        effective_to
    from versions

    union all

    select
        {{ unknown_key() }} as component_key,
        'unknown' as component_name,
        'unknown' as subsystem,
        null as tier_default,
        'No component, or none that is named' as description,
        {{ truth(true) }} as is_current,
        {{ beginning() }} as effective_from,
        {{ null_timestamp() }} as effective_to
)

select * from final
