{{ config(unique_key='_landing_id') }}

{{ land('verification', 'action_contracts') }}
