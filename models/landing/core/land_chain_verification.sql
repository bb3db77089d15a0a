{{ config(unique_key='_landing_id') }}

{{ land('core', 'chain_verification') }}
