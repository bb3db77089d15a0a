{{ config(unique_key='_landing_id') }}

{{ land('error', 'immutable_log') }}
