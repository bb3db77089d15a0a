with source as (
    {{ landed(ref('land_approval_requests')) }}
),

final as (
    select
        id as approval_id,
        nullif({{ trimmed('status') }}, '') as approval_status,
        nullif({{ trimmed('requested_by') }}, '') as requested_by,
        nullif({{ trimmed('reason') }}, '') as reason,
        {{ person('decision_by') }} as decision_by,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('decided_at') }} as decided_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
