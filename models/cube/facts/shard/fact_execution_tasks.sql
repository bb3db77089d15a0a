{#-
    Grain: one unit of work handed to the executor, in its present state. Natural id: execution_task_id. A state that no
    list names is open: nobody has told how it ended.
-#}
{{ config(unique_key='task_key') }}

with tasks as (
    select * from {{ ref('stg_shard__execution_tasks') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

final as (
    select
        {{ surrogate_key(['tasks.execution_task_id']) }} as task_key,
        {{ time_key('tasks.created_at') }} as time_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        tasks.execution_task_id,
        tasks.task_id,
        tasks.task_type,
        tasks.task_status,

        {{ seconds_between('tasks.created_at', 'tasks.started_at') }} as queue_seconds,
        {{ seconds_between('tasks.started_at', 'tasks.completed_at') }} as run_seconds,
        {{ seconds_between('tasks.created_at', 'tasks.completed_at') }} as total_seconds,
        tasks.progress,

        coalesce(tasks.task_status = 'completed', {{ truth(false) }}) as was_successful,
        coalesce(tasks.task_status = 'failed', {{ truth(false) }}) as has_failed,
        not coalesce(tasks.task_status in ('completed', 'failed', 'cancelled'), {{ truth(false) }}) as is_open,

        tasks.error_message,
        tasks.created_at,
        tasks.started_at,
        tasks.completed_at
    from tasks
    left join actors on actors.spelling = tasks.submitted_by
)

select * from final
