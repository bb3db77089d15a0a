with source as (
    {{ landed(ref('land_playbook_runs')) }}
),

final as (
    select
        id as playbook_run_id,
        nullif({{ trimmed('playbook_id') }}, '') as playbook_id,
        nullif({{ trimmed('service') }}, '') as component_name,
        nullif({{ trimmed('status') }}, '') as run_status,
        nullif({{ trimmed('requested_by') }}, '') as requested_by,
        nullif({{ trimmed('approval_request_id') }}, '') as approval_id,
        {{ read_real(json_text('diagnosis', 'risk_score')) }} as risk_score,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_timestamp('ended_at') }} as ended_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
