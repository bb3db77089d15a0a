{{ config(severity='warn', tags=['health']) }}

-- How Grace is doing now: `grace-dbt health` asks the same.
{{ stuck_tasks(operational('orchestration', 'orchestration_tasks')) }}
