{{ config(unique_key='_landing_id') }}

{{ land('ingress', 'bronze_raw_events') }}
