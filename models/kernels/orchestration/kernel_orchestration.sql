{#-
    Grain: one reading of the orchestration kernel. Natural id: reading_type and reading_id. No table has a row for each execution
    of a loop, and tasks don't say which one they belong to: how long a loop takes is known from the totals in its registry alone.
-#}
{{ config(unique_key='reading_key') }}

with loops as (
    select * from {{ ref('stg_orchestration__orchestration_loops') }}
),

tasks as (
    select * from {{ ref('stg_orchestration__orchestration_tasks') }}
),

readings as (
    select
        'orchestration_loops' as reading_type,
        loop_id as reading_id,
        loop_id,
        cast(null as {{ dbt.type_string() }}) as stage,
        cast(null as {{ dbt.type_string() }}) as task_status,
        -- A mean of 0 says that no execution has finished.
        case when run_count > 0 and average_seconds > 0 then run_count end as loop_executions,
        case when run_count > 0 and average_seconds > 0 then average_seconds end as loop_execution_seconds,
        cast(null as double precision) as task_execution_seconds,
        cast(null as {{ dbt.type_boolean() }}) as has_failed,
        updated_at as created_at
    from loops

    union all

    select
        'orchestration_tasks' as reading_type,
        task_id as reading_id,
        loop_id,
        stage,
        task_status,
        null as loop_executions,
        null as loop_execution_seconds,
        {{ seconds_between('started_at', 'completed_at') }} as task_execution_seconds,
        case
            when task_status in ('failed', 'timeout', 'rolled_back') then {{ truth(true) }}
            when task_status in ('completed', 'cancelled') then {{ truth(false) }}
        end as has_failed,
        created_at
    from tasks
),

final as (
    select
        {{ surrogate_key(['readings.reading_type', 'readings.reading_id']) }} as reading_key,
        {{ time_key('readings.created_at') }} as time_key,

        readings.reading_type,
        readings.reading_id,
        readings.loop_id,
        loops.loop_name,
        readings.stage,
        readings.task_status,

        readings.loop_executions,
        readings.loop_execution_seconds,
        readings.loop_execution_seconds * readings.loop_executions as total_loop_seconds,
        readings.task_execution_seconds,

        readings.has_failed,

        readings.created_at
    from readings
    left join loops on loops.loop_id = readings.loop_id
)

select * from final
