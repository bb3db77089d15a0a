{#-
    Plans the operational schema: a list of {kind, table, name, sql}, in an order that can be run as it is.
    Touches no database. `schema` qualifies the objects; without it they go where the connection points.
-#}
{% macro plan_ddl(dialect, schema=none) %}
    {% set plan = [] %}
    {% for node in declared_tables() %}
        {% do plan.append(dict(plan_table(node, dialect, schema), kind='table', table=node.name, name=node.name)) %}
        {% for statement in for_dialect('plan_comment', dialect)(node, schema) %}
            {% do plan.append({'kind': 'comment', 'table': node.name, 'name': node.name, 'sql': statement}) %}
        {% endfor %}
        {% for index in node.config.meta.get('indexes', []) %}
            {% set name = index_name(node, index) %}
            {% do plan.append({
                'kind': 'index', 'table': node.name, 'name': name, 'sql': plan_index(node, name, index, dialect, schema)
            }) %}
        {% endfor %}
        {% if node.config.meta.mutability != 'mutable' %}
            {% for guard in for_dialect('plan_immutability', dialect)(node, schema) %}
                {% do plan.append(dict({'kind': 'trigger', 'table': node.name}, **guard)) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(plan) }}
{% endmacro %}

{#-
    One table as {sql, columns, references}: the type of each column, and the line of each reference where the engine has
    it on a line of its own, so that a table can be made beside a parent that an engine would refuse.
-#}
{% macro plan_table(node, dialect, schema) %}
    {% set lines = [] %}
    {% set types = {} %}
    {% set references = {} %}
    {% for column in node.columns.values() %}
        {% do lines.append(plan_column(column, node, dialect, schema)) %}
        {% do types.update({column.name: column_type(column, node, dialect)}) %}
    {% endfor %}
    {% do lines.append('primary key (' ~ quote_names(primary_key(node), dialect) ~ ')') %}
    {% if for_dialect('references_stand_apart', dialect)() %}
        {% for column in node.columns.values() %}
            {% for foreign in column_constraints(column, 'foreign_key') %}
                {% set line = plan_reference(column, foreign, node, dialect, schema) %}
                {% do references.update({column.name: line}) %}
                {% do lines.append(line) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
    {{ return({
        'sql': 'create table if not exists ' ~ qualify_name(node.name, dialect, schema) ~ ' (\n    '
            ~ lines | join(',\n    ') ~ '\n)' ~ for_dialect('table_options', dialect)(node),
        'columns': types,
        'references': references
    }) }}
{% endmacro %}

{% macro plan_column(column, node, dialect, schema) %}
    {% set words = [quote_name(column.name, dialect), column_type(column, node, dialect)] %}
    {% if primary_key(node) == [column.name] and column.data_type == 'integer' and for_dialect('automatic_key', dialect)() %}
        {% do words.append(for_dialect('automatic_key', dialect)()) %}
    {% endif %}
    {% if column_constraints(column, 'not_null') %}
        {% do words.append('not null') %}
    {% endif %}
    {% if column.config.meta.default is defined %}
        {% do words.append('default ' ~ for_dialect('ddl_default', dialect)(column.config.meta.default)) %}
    {% endif %}
    {% if column_constraints(column, 'unique') %}
        {% do words.append('unique') %}
    {% endif %}
    {% for check in column_constraints(column, 'check') %}
        {% do words.append(plan_check(column, check, dialect)) %}
    {% endfor %}
    {% if not for_dialect('references_stand_apart', dialect)() %}
        {% for foreign in column_constraints(column, 'foreign_key') %}
            {% do words.append(for_dialect('ddl_reference', dialect)(foreign, node, schema)) %}
        {% endfor %}
    {% endif %}
    {{ return(words | join(' ')) }}
{% endmacro %}

{#- The type of a column; an engine may ask whether it stands in a key and whether a hash covers its very bytes. -#}
{% macro column_type(column, node, dialect) %}
    {{ return(for_dialect('ddl_type', dialect)(
        column.data_type,
        in_key=column.name in key_columns(node),
        hashed=column.config.meta.get('hash_input', false)
    )) }}
{% endmacro %}

{% macro plan_check(column, check, dialect) %}
    {{ return('check (' ~ check.expression | replace('{column}', quote_name(column.name, dialect)) ~ ')') }}
{% endmacro %}

{% macro plan_reference(column, foreign, node, dialect, schema) %}
    {{ return(
        'foreign key (' ~ quote_name(column.name, dialect) ~ ') ' ~ for_dialect('ddl_reference', dialect)(foreign, node, schema)
    ) }}
{% endmacro %}

{% macro index_name(node, index) %}
    {{ return(('ux_' if index.get('unique') else 'ix_') ~ node.name ~ '__' ~ index.columns | join('__')) }}
{% endmacro %}

{% macro plan_index(node, name, index, dialect, schema) %}
    {{ return(
        'create ' ~ ('unique ' if index.get('unique') else '') ~ 'index '
        ~ for_dialect('ddl_index_target', dialect)(name, node.name, schema)
        ~ ' (' ~ quote_names(index.columns, dialect) ~ ')'
    ) }}
{% endmacro %}
