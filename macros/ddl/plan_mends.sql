{#-
    The additive statements that would mend an existing table: a list of {kind, table, name, sql}, one for each declared
    column and constraint that the engine can add. Kind and name are those by which a difference is reported.
-#}
{% macro plan_mends(dialect) %}
    {% set plan = [] %}
    {% for node in declared_tables() %}
        {% for column in node.columns.values() %}
            {% for mend in column_mends(column, node, dialect) if mend.sql %}
                {% do plan.append(dict(mend, table=node.name, name=column.name)) %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {{ return(plan) }}
{% endmacro %}

{% macro column_mends(column, node, dialect) %}
    {% set mends = [{'kind': 'column', 'sql': plan_add(node, 'column ' ~ for_dialect('addable_column', dialect)(column, node), dialect)}] %}
    {% if column.config.meta.default is defined %}
        {% do mends.append({'kind': 'default', 'sql': for_dialect('plan_set_default', dialect)(column, node)}) %}
    {% endif %}
    {% if column_constraints(column, 'unique') %}
        {% set index = {'columns': [column.name], 'unique': true} %}
        {% do mends.append({'kind': 'unique', 'sql': plan_index(node, index_name(node, index), index, dialect, none)}) %}
    {% endif %}
    {% if for_dialect('references_stand_apart', dialect)() %}
        {% for check in column_constraints(column, 'check') %}
            {% do mends.append({'kind': 'check', 'sql': plan_add(node, plan_check(column, check, dialect), dialect)}) %}
        {% endfor %}
        {% for foreign in column_constraints(column, 'foreign_key') %}
            {% set reference = plan_reference(column, foreign, node, dialect, none) %}
            {% do mends.append({'kind': 'foreign_key', 'sql': plan_add(node, reference, dialect)}) %}
        {% endfor %}
    {% endif %}
    {{ return(mends) }}
{% endmacro %}

{% macro plan_add(node, what, dialect) %}
    {{ return('alter table ' ~ quote_name(node.name, dialect) ~ ' add ' ~ what) }}
{% endmacro %}

{#-
    A column as it can be added to a table with rows: NOT NULL only beside a default that fills it, and no moment as a
    default, which would date rows that are older.
-#}
{% macro plain_addable_column(column, node, dialect) %}
    {% set default = column.config.meta.get('default') %}
    {% set words = [quote_name(column.name, dialect), column_type(column, node, dialect)] %}
    {% if default is not none and default != 'CURRENT_TIMESTAMP' %}
        {% if column_constraints(column, 'not_null') %}
            {% do words.append('not null') %}
        {% endif %}
        {% do words.append('default ' ~ for_dialect('ddl_default', dialect)(default)) %}
    {% endif %}
    {% for check in column_constraints(column, 'check') %}
        {% do words.append(plan_check(column, check, dialect)) %}
    {% endfor %}
    {{ return(words | join(' ')) }}
{% endmacro %}

{% macro plan_set_default(column, node, dialect) %}
    {{ return(
        'alter table ' ~ quote_name(node.name, dialect) ~ ' alter column ' ~ quote_name(column.name, dialect) ~ ' set default '
        ~ for_dialect('ddl_default', dialect)(column.config.meta.default)
    ) }}
{% endmacro %}
