with source as (
    {{ landed(ref('land_intel_requests')) }}
),

final as (
    select
        req_id as request_id,
        nullif({{ trimmed('task') }}, '') as task,
        nullif({{ trimmed('modality') }}, '') as modality,
        nullif({{ trimmed('segment') }}, '') as segment,
        nullif({{ trimmed('env') }}, '') as environment,
        nullif({{ trimmed('status') }}, '') as request_status,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
