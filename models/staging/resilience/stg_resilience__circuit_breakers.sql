with source as (
    {{ landed(ref('land_circuit_breakers')) }}
),

final as (
    select
        id as breaker_id,
        nullif({{ trimmed('component_name') }}, '') as component_name,
        nullif({{ trimmed('state') }}, '') as breaker_state,
        {{ read_timestamp('updated_at') }} as updated_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
