{{ config(unique_key='_landing_id') }}

{{ land('verification', 'benchmark_runs') }}
