{#- Selects every declared column of an operational table as text; a column that the table lacks is NULL. -#}
{% macro rows_as_text(relation, node, present) %}
    {{ return(adapter.dispatch('rows_as_text', 'grace')(relation, node, present)) }}
{% endmacro %}

{% macro default__rows_as_text(relation, node, present) %}
    {% set columns = [] %}
    {% for name in node.columns %}
        {% do columns.append((as_text(adapter.quote(name)) if name in present else as_text('null')) ~ ' as ' ~ adapter.quote(name)) %}
    {% endfor %}
    {{ return('select ' ~ columns | join(', ') ~ (' from ' ~ relation if present else ' where 1 = 0')) }}
{% endmacro %}

{#-
    Over an attached SQLite file the select runs inside SQLite: a plain scan as text would cut real numbers to 15 digits.
    Everything else there arrives as text already (sqlite_all_varchar), so that no stored value can stop the scan.
-#}
{% macro duckdb__rows_as_text(relation, node, present) %}
    {% if not present or not env_var('GRACE_OPERATIONAL_URL', '').startswith('sqlite:') %}
        {{ return(default__rows_as_text(relation, node, present)) }}
    {% endif %}
    {% set native = sqlite__rows_as_text(qualify_name(node.name, 'sqlite'), node, present) %}
    {{ return("select * from sqlite_query('" ~ relation.database ~ "', '" ~ native | replace("'", "''") ~ "')") }}
{% endmacro %}

{% macro sqlite__rows_as_text(relation, node, present) %}
    {% if not present %}
        {{ return(default__rows_as_text(relation, node, present)) }}
    {% endif %}
    {% set columns = [] %}
    {% for column in node.columns.values() %}
        {% set name = quote_name(column.name, 'sqlite') %}
        {% if column.name not in present %}
            {% set value = 'cast(null as text)' %}
        {% elif column.data_type == 'blob' %}
            {% set value = 'hex(' ~ name ~ ')' %}
        {% else %}
            {% set value = "case typeof(" ~ name ~ ") when 'text' then " ~ name ~ " when 'real' then printf('%!.17g', "
                ~ name ~ ") when 'blob' then hex(" ~ name ~ ") else cast(" ~ name ~ " as text) end" %}
        {% endif %}
        {% do columns.append(value ~ ' as ' ~ name) %}
    {% endfor %}
    {{ return('select ' ~ columns | join(', ') ~ ' from ' ~ relation) }}
{% endmacro %}
