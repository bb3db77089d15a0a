{{ config(unique_key='_landing_id') }}

{{ land('memory', 'memory_operations') }}
