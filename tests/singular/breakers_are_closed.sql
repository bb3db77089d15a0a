{{ config(severity='warn', tags=['health']) }}

-- How Grace is doing now: `grace-dbt health` asks the same.
{{ tripped_breakers(operational('resilience', 'circuit_breakers')) }}
