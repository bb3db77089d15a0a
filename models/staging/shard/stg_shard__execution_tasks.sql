with source as (
    {{ landed(ref('land_execution_tasks')) }}
),

final as (
    select
        id as execution_task_id,
        nullif({{ trimmed('task_id') }}, '') as task_id,
        {{ person('"user"') }} as submitted_by,
        nullif({{ trimmed('task_type') }}, '') as task_type,
        nullif({{ trimmed('status') }}, '') as task_status,
        nullif({{ trimmed('error') }}, '') as error_message,
        {{ read_real('progress') }} as progress,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_timestamp('completed_at') }} as completed_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
