{{ config(tags=['batched']) }}

-- One query for the contracts of the cube, which `dbt build` runs one by one instead.
{{ contracts_in_one('error') }}
