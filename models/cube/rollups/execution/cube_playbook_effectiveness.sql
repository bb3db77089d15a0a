{#-
    Grain: one day (UTC), playbook and component as written; runs without a readable time stand on the day of NULLs. The
    time of a run counts from its first step, without the wait for consent.
-#}
with runs as (
    select * from {{ ref('fact_playbook_runs') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        runs.playbook_id,
        runs.component_name,

        count(*) as total_runs,
        count(case when runs.was_successful then 1 end) as successful_runs,
        count(case when runs.run_status = 'failed' then 1 end) as failed_runs,
        count(case when runs.was_rolled_back then 1 end) as rolled_back_runs,
        count(case when runs.run_status = 'aborted' then 1 end) as aborted_runs,
        count(case when runs.is_open then 1 end) as open_runs,
        count(case when runs.required_approval then 1 end) as runs_with_approval,

        sum(runs.run_seconds) as run_seconds_sum,
        count(runs.run_seconds) as run_seconds_count,
        avg(runs.run_seconds) as avg_run_seconds
    from runs
    inner join minutes on minutes.time_key = runs.time_key
    group by minutes.year, minutes.month, minutes.day, runs.playbook_id, runs.component_name
)

select * from final
