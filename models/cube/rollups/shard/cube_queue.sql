{#- Grain: one hour (UTC) of submission and kind of work; tasks without a readable time stand on the hour of NULLs. -#}
with tasks as (
    select * from {{ ref('fact_execution_tasks') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        minutes.hour,
        tasks.task_type,

        count(*) as total_tasks,
        count(case when tasks.was_successful then 1 end) as successful_tasks,
        count(case when tasks.has_failed then 1 end) as failed_tasks,
        count(case when tasks.task_status = 'cancelled' then 1 end) as cancelled_tasks,
        count(case when tasks.is_open then 1 end) as open_tasks,

        sum(tasks.queue_seconds) as queue_seconds_sum,
        count(tasks.queue_seconds) as queue_seconds_count,
        avg(tasks.queue_seconds) as avg_queue_seconds,
        sum(tasks.run_seconds) as run_seconds_sum,
        count(tasks.run_seconds) as run_seconds_count,
        avg(tasks.run_seconds) as avg_run_seconds,
        sum(tasks.total_seconds) as total_seconds_sum,
        count(tasks.total_seconds) as total_seconds_count,
        avg(tasks.total_seconds) as avg_total_seconds
    from tasks
    inner join minutes on minutes.time_key = tasks.time_key
    group by minutes.year, minutes.month, minutes.day, minutes.hour, tasks.task_type
)

select * from final
