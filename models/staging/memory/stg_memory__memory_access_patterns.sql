with source as (
    {{ landed(ref('land_memory_access_patterns')) }}
),

final as (
    select
        id as access_id,
        nullif({{ trimmed('access_type') }}, '') as access_type,
        {{ read_real('response_time_ms') }} as response_time_ms,
        {{ read_boolean('cache_hit') }} as is_cache_hit,
        {{ read_timestamp('access_timestamp') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
