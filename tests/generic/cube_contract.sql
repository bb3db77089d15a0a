{#-
    The contract of a dimension, fact or rollup, in one query; a failing row names its rule. The grain stands once; each key meets
    a member of its dimension; and what the columns declare holds: not_null, meta.range, meta.accepted_values. The types are
    dbt's own, enforced when the table is built.
-#}
{% test cube_contract(model, grain, keys=none) %}
    {% set dimensions = {} %}
    {% for column, dimension in (keys or {}).items() %}
        {% do dimensions.update({column: relation_of(dimension)}) %}
    {% endfor %}
    {{ cube_contract_query(model, grain, dimensions) if execute else 'select 1' }}
{% endtest %}
