{#- How many rows of a table point by one declared reference to a parent that is not there. -#}
{% macro orphans(node, foreign) %}
{% set key, reference, target_key = primary_key(node)[0], adapter.quote(foreign.column), adapter.quote(foreign.to_column) %}
{% set children = stored_text(declared_relation(node), [key, foreign.column] | unique | list) %}
{% set parents = stored_text(declared_relation(declared_table(foreign.to)), [foreign.to_column]) %}
{% call when_present([children, parents]) %}
select
    'a reference leads to a row' as rule,
    '{{ node.name }}.{{ foreign.column }}' as row_key,
    {{ as_text('count(*)') }} || ' without a row in {{ foreign.to }}, e.g. {{ key }} ' || min(children.{{ adapter.quote(key) }}) as found
from ({{ children }}) as children
left join ({{ parents }}) as parents on children.{{ reference }} = parents.{{ target_key }}
where children.{{ reference }} is not null and parents.{{ target_key }} is null
having count(*) > 0
{% endcall %}
{% endmacro %}
