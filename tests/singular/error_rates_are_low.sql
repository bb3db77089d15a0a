{{ config(severity='warn', tags=['health']) }}

-- How Grace is doing now: `grace-dbt health` asks the same.
{{ high_error_rates(operational('ingress', 'processing_metrics')) }}
