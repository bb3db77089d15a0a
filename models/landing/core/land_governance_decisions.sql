{{ config(unique_key='_landing_id') }}

{{ land('core', 'governance_decisions') }}
