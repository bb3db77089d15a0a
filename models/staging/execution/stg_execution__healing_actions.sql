with source as (
    {{ landed(ref('land_healing_actions')) }}
),

final as (
    select
        id as healing_id,
        nullif({{ trimmed('component') }}, '') as component_name,
        nullif({{ trimmed('action') }}, '') as action_type,
        nullif({{ trimmed('result') }}, '') as result,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
