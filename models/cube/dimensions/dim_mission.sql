{#-
    Grain: one state of one mission. A state that an end of the mission brought holds from that end, any other from the
    refresh that found it, the first one from the beginning. An end that is told late overrules what was recorded after it:
    a version counts only where no later record begins at or before it.
-#}
with recorded as (
    select
        *,
        row_number() over (partition by mission_id order by dbt_valid_from) as recorded_as,
        lag(completed_at) over (partition by mission_id order by dbt_valid_from) as former_completed_at
    from {{ ref('snap_missions') }}
    -- A mission of that name would stand beside the member -1, and facts would meet both.
    where mission_id <> 'unknown'
),

dated as (
    select
        *,
        case
            when recorded_as = 1 then {{ beginning() }}
            when
                completed_at <= dbt_valid_from
                and (former_completed_at is null or former_completed_at <> completed_at)
                then completed_at
            else dbt_valid_from
        end as effective_from
    from recorded
),

succeeded as (
    select
        *,
        min(effective_from) over (
            partition by mission_id order by recorded_as rows between 1 following and unbounded following
        ) as effective_to
    from dated
),

final as (
    select
        {{ surrogate_key(['mission_id', timestamp_text('effective_from')]) }} as mission_key,
        mission_id,
        mission_name,
        mission_type,
        started_at,
        completed_at,
        final_status,
        effective_to is null as is_current,
        effective_from,
        effective_to
    from succeeded
    where effective_to is null or effective_from < effective_to

    union all

    select
        {{ unknown_key() }} as mission_key,
        'unknown' as mission_id,
        'Unknown' as mission_name,
        'unknown' as mission_type,
        {{ null_timestamp() }} as started_at,
        {{ null_timestamp() }} as completed_at,
        'unknown' as final_status,
        {{ truth(true) }} as is_current,
        {{ beginning() }} as effective_from,
        {{ null_timestamp() }} as effective_to
)

select * from final
