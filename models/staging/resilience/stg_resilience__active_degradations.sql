with source as (
    {{ landed(ref('land_active_degradations')) }}
),

final as (
    select
        id as degradation_id,
        nullif({{ trimmed('component_name') }}, '') as component_name,
        nullif({{ trimmed('policy_id') }}, '') as policy_id,
        nullif({{ trimmed('degradation_level') }}, '') as degradation_level,
        {{ read_timestamp('started_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
