{{ config(severity='warn', tags=['batched']) }}

-- One query for what a refresh tells and does not stop for.
{{ contracts_in_one('warn') }}
