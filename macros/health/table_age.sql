{#- When the newest row of a table was written, beside the age that its freshness allows; nothing for one without rows. -#}
{% macro table_age(node) %}
{% set clock = node.config.loaded_at_field %}
{% set limit = node.freshness.warn_after %}
{% set seconds = {'minute': 60, 'hour': 3600, 'day': 86400}[limit.period] * limit.count %}
{% set clocks = stored_text(declared_relation(node), [clock]) %}
{% if clocks is none %}
select null as component, null as source_table, null as newest_at, null as age_seconds, null as allowed_seconds where 1 = 0
{% else %}
select
    '{{ node.source_name }}' as component,
    '{{ node.name }}' as source_table,
    newest_at,
    {{ seconds_between('newest_at', run_clock()) }} as age_seconds,
    {{ seconds }} as allowed_seconds
from (select max({{ read_timestamp(adapter.quote(clock)) }}) as newest_at from ({{ clocks }}) as clocks) as newest
where newest_at is not null
{% endif %}
{% endmacro %}

{#- The declared tables that say how old their newest row may be. -#}
{% macro watched_tables() %}
    {% set found = [] %}
    {% for node in declared_tables() if node.config.loaded_at_field and node.freshness and node.freshness.warn_after.count %}
        {% do found.append(node) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
