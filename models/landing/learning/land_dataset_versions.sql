{{ config(unique_key='_landing_id') }}

{{ land('learning', 'dataset_versions') }}
