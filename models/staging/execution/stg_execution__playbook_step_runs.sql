with source as (
    {{ landed(ref('land_playbook_step_runs')) }}
),

final as (
    select
        id as step_run_id,
        nullif({{ trimmed('run_id') }}, '') as playbook_run_id,
        nullif({{ trimmed('step_id') }}, '') as step_id,
        {{ read_integer('step_order') }} as step_order,
        nullif({{ trimmed('status') }}, '') as step_status,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('ended_at') }} as ended_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
