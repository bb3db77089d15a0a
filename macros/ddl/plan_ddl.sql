{#-
    Plans the operational schema: a list of {kind, table, name, sql}, in an order that can be run as it is.
    Touches no database. `schema` qualifies the objects; without it they go where the connection points.
-#}
{% macro plan_ddl(dialect, schema=none) %}
    {% set plan = [] %}
    {% for node in declared_tables() %}
        {% do plan.append({
            'kind': 'table', 'table': node.name, 'name': node.name, 'sql': plan_table(node, dialect, schema)
        }) %}
        {% for index in node.config.meta.get('indexes', []) %}
            {% set name = ('ux_' if index.get('unique') else 'ix_') ~ node.name ~ '__' ~ index.columns | join('__') %}
            {% do plan.append({
                'kind': 'index', 'table': node.name, 'name': name, 'sql': plan_index(node, name, index, dialect, schema)
            }) %}
        {% endfor %}
        {% if node.config.meta.mutability != 'mutable' %}
            {% for trigger in for_dialect('plan_immutability', dialect)(node, schema) %}
                {% do plan.append(dict(trigger, kind='trigger', table=node.name)) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(plan) }}
{% endmacro %}

{% macro plan_table(node, dialect, schema) %}
    {% set lines = [] %}
    {% for column in node.columns.values() %}
        {% do lines.append(plan_column(column, dialect, schema)) %}
    {% endfor %}
    {% do lines.append('primary key (' ~ quote_names(primary_key(node), dialect) ~ ')') %}
    {{ return(
        'create table if not exists ' ~ qualify_name(node.name, dialect, schema) ~ ' (\n    ' ~ lines | join(',\n    ') ~ '\n)'
    ) }}
{% endmacro %}

{% macro plan_column(column, dialect, schema) %}
    {% set words = [quote_name(column.name, dialect), for_dialect('ddl_type', dialect)(column.data_type)] %}
    {% if column_constraints(column, 'not_null') %}
        {% do words.append('not null') %}
    {% endif %}
    {% if column.config.meta.default is defined %}
        {% do words.append('default ' ~ column.config.meta.default) %}
    {% endif %}
    {% if column_constraints(column, 'unique') %}
        {% do words.append('unique') %}
    {% endif %}
    {% for check in column_constraints(column, 'check') %}
        {% do words.append('check (' ~ check.expression | replace('{column}', quote_name(column.name, dialect)) ~ ')') %}
    {% endfor %}
    {% for foreign in column_constraints(column, 'foreign_key') %}
        {% do words.append(for_dialect('ddl_reference', dialect)(foreign, schema)) %}
    {% endfor %}
    {{ return(words | join(' ')) }}
{% endmacro %}

{% macro plan_index(node, name, index, dialect, schema) %}
    {{ return(
        'create ' ~ ('unique ' if index.get('unique') else '') ~ 'index if not exists '
        ~ for_dialect('ddl_index_target', dialect)(name, node.name, schema)
        ~ ' (' ~ quote_names(index.columns, dialect) ~ ')'
    ) }}
{% endmacro %}
