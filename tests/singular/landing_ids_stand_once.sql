-- A landed row has an id of its own, or the next refresh can't tell which one changed. One query for all tables.
{% for _, table in landed_tables() %}
select
    '{{ table }}' as landed_table,
    _landing_id
from {{ ref('land_' ~ table) }}
group by _landing_id
having count(*) > 1
{{ 'union all' if not loop.last }}
{% endfor %}
