{{ config(unique_key='_landing_id') }}

{{ land('core', 'audit_logs') }}
