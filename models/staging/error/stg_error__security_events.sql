with source as (
    {{ landed(ref('land_security_events')) }}
),

final as (
    select
        id as event_id,
        nullif({{ trimmed('actor') }}, '') as actor,
        nullif({{ trimmed('action') }}, '') as action,
        nullif({{ trimmed('resource') }}, '') as resource,
        nullif({{ trimmed('severity') }}, '') as severity,
        nullif({{ trimmed('status') }}, '') as event_status,
        nullif({{ trimmed('resolution_note') }}, '') as resolution_note,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('resolved_at') }} as resolved_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
