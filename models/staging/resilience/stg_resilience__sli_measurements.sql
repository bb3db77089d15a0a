with source as (
    {{ landed(ref('land_sli_measurements')) }}
),

final as (
    select
        id as measurement_id,
        nullif({{ trimmed('sli_name') }}, '') as sli_name,
        nullif({{ trimmed('component_name') }}, '') as component_name,
        nullif({{ trimmed('measurement_type') }}, '') as measurement_type,
        {{ read_real('value') }} as measured_value,
        {{ read_real('target_value') }} as target_value,
        {{ read_timestamp('measured_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
