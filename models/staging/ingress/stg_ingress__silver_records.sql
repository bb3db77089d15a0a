with source as (
    {{ landed(ref('land_silver_records')) }}
),

final as (
    select
        id as silver_id,
        nullif({{ trimmed('record_id') }}, '') as record_id,
        nullif({{ trimmed('source_id') }}, '') as source_id,
        nullif({{ trimmed('contract') }}, '') as contract,
        {{ read_real('trust_score') }} as trust_score,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
