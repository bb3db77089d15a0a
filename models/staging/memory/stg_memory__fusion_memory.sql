with source as (
    {{ landed(ref('land_fusion_memory')) }}
),

final as (
    select
        entry_id,
        nullif({{ trimmed('content_type') }}, '') as content_type,
        nullif({{ trimmed('compression_type') }}, '') as compression_type,
        {{ read_count('size_bytes') }} as size_bytes,
        {{ read_timestamp('updated_at') }} as updated_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
