with source as (
    {{ landed(ref('land_intel_specialist_reports')) }}
),

final as (
    select
        report_id,
        nullif({{ trimmed('req_id') }}, '') as request_id,
        nullif({{ trimmed('specialist_name') }}, '') as specialist_name,
        nullif({{ trimmed('model_key') }}, '') as model_key,
        {{ read_count('execution_time_ms') }} as latency_ms,
        {{ read_boolean('success') }} as was_successful,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
