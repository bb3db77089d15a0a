{{ config(severity='warn') }}

-- What a refresh tells and does not stop for, in one query.
{{ contracts_in_one('warn') }}
