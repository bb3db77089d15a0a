-- A landed row has an id of its own, or the next refresh can't tell which one changed. One query for all tables,
-- or for those among `contracts_of`.
{% set owners = var('contracts_of', none) %}
{% for _, table in landed_tables() %}
{% set landing = ref('land_' ~ table) %}
{% if owners is none or 'land_' ~ table in owners %}
select
    '{{ table }}' as landed_table,
    _landing_id
from {{ landing }}
group by _landing_id
having count(*) > 1

union all

{% endif %}
{% endfor %}
select
    'none' as landed_table,
    'none' as _landing_id
where 1 = 0
