with source as (
    {{ landed(ref('land_orchestration_tasks')) }}
),

final as (
    select
        task_id,
        nullif({{ trimmed('loop_id') }}, '') as loop_id,
        nullif({{ trimmed('stage') }}, '') as stage,
        nullif({{ trimmed('status') }}, '') as task_status,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_timestamp('completed_at') }} as completed_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
