-- The contracts of the cube in one query, for a refresh; `dbt build` runs them one by one instead.
{{ contracts_in_one('error') }}
