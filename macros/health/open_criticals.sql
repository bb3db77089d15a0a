{#-
    How many rows of a table that rates severity are critical and not settled. Writers settle in one of three ways, and any
    of them counts: a final status, a flag, a time.
-#}
{% macro open_criticals(node) %}
{% set key = primary_key(node)[0] %}
{% set settled_by = {
    'status': "lower(status) in ('resolved', 'closed')",
    'resolved': '(' ~ read_boolean('resolved') ~ ') = ' ~ truth(true),
    'resolved_at': 'resolved_at is not null'
} %}
{% set marks = settled_by | select('in', node.columns) | list %}
{% set rated = stored_text(declared_relation(node), [key, 'severity'] + marks) %}
{% call when_present([rated]) %}
select
    'no critical finding is open' as rule,
    '{{ node.name }}' as row_key,
    {{ as_text('count(*)') }} || ' critical and open, e.g. {{ key }} ' || min({{ adapter.quote(key) }}) as found
from ({{ rated }}) as rated
where
    lower(severity) = 'critical'
    {% for mark in marks %}
    and not coalesce({{ settled_by[mark] }}, {{ truth(false) }})
    {% endfor %}
having count(*) > 0
{% endcall %}
{% endmacro %}

{#- The declared tables whose rows have a severity that may be critical. -#}
{% macro rated_tables() %}
    {% set found = [] %}
    {% for node in declared_tables() if 'critical' in node.columns.get('severity', {}).get('config', {}).get('meta', {}).get('accepted_values', []) %}
        {% do found.append(node) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
