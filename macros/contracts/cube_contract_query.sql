{#- One query over a model of the cube: a row for each rule that is broken, as rule and how many rows break it. -#}
{% macro cube_contract_query(relation, grain, dimensions) %}
    {% set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', relation.identifier) | first %}
    {% set rules = [] %}
    {% for column in node.columns.values() %}
        {% set name = adapter.quote(column.name) %}
        {% set meta = column.config.meta %}
        {% if column_constraints(column, 'not_null') %}
            {% do rules.append({'name': 'not_null: ' ~ column.name, 'breach': name ~ ' is null'}) %}
        {% endif %}
        {% if meta.accepted_values is defined %}
            {% do rules.append({
                'name': 'accepted_values: ' ~ column.name, 'breach': name ~ " not in ('" ~ meta.accepted_values | join("', '") ~ "')"
            }) %}
        {% endif %}
        {% if meta.range is defined %}
            {% set bounds = [] %}
            {% if meta.range[0] is not none %}{% do bounds.append(name ~ ' < ' ~ meta.range[0]) %}{% endif %}
            {% if meta.range[1] is not none %}{% do bounds.append(name ~ ' > ' ~ meta.range[1]) %}{% endif %}
            {% do rules.append({'name': 'range: ' ~ column.name, 'breach': bounds | join(' or ')}) %}
        {% endif %}
    {% endfor %}
    {% for column, dimension in dimensions.items() %}
        {% set name = adapter.quote(column) %}
        {% do rules.append({
            'name': 'resolves: ' ~ column,
            'breach': name ~ ' in (select ' ~ name ~ ' from ' ~ relation ~ ' except select ' ~ dimension_key(dimension) ~ ' from ' ~ dimension ~ ')'
        }) %}
    {% endfor %}
    {% set queries = [
        "select 'grain: " ~ grain | join(', ') ~ "' as rule, count(*) as breaches from (select " ~ grain | join(', ') ~ ' from ' ~ relation
        ~ ' group by ' ~ grain | join(', ') ~ ' having count(*) > 1) as repeated having count(*) > 0'
    ] %}
    {% if rules %}
        {% set counts, names, places = [], [], [] %}
        {% for rule in rules %}
            {% do counts.append('count(case when ' ~ rule.breach ~ ' then 1 end) as rule_' ~ loop.index) %}
            {% do names.append('(' ~ loop.index ~ ", '" ~ rule.name ~ "')") %}
            {% do places.append('when ' ~ loop.index ~ ' then counted.rule_' ~ loop.index) %}
        {% endfor %}
        {#- A row for each rule by one join: a branch for each would take longer to plan than to run. -#}
        {% do queries.append(
            'select rule, breaches from (select rules.rule, case rules.place ' ~ places | join(' ')
            ~ ' end as breaches from counted cross join rules) as found where breaches > 0'
        ) %}
        {{ return(
            'with counted as (select ' ~ counts | join(', ') ~ ' from ' ~ relation ~ '), rules (place, rule) as (values '
            ~ names | join(', ') ~ ')\n' ~ queries | join('\nunion all\n')
        ) }}
    {% endif %}
    {{ return(queries | join('\nunion all\n')) }}
{% endmacro %}

{#- The column that names a member of a dimension: `dim_tier` has `tier_key`. -#}
{% macro dimension_key(dimension) %}{{ return(dimension.identifier | replace('dim_', '') ~ '_key') }}{% endmacro %}
