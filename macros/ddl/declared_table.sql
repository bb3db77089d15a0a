{#- Readers of one declared table: what dbt keeps of its columns, as short lists. -#}

{% macro declared_table(name) %}
    {% for node in graph.sources.values() if node.name == name and node.original_file_path.startswith('models/operational/') %}
        {{ return(node) }}
    {% endfor %}
    {{ exceptions.raise_compiler_error("'" ~ name ~ "' is not declared under models/operational") }}
{% endmacro %}

{% macro column_constraints(column, kind) %}
    {% set found = [] %}
    {% for constraint in column.constraints if constraint.type == kind %}
        {% do found.append(constraint) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro foreign_keys(node) %}
    {% set found = [] %}
    {% for column in node.columns.values() %}
        {% for constraint in column_constraints(column, 'foreign_key') %}
            {% do found.append({
                'column': column.name,
                'to': constraint.to,
                'to_column': constraint.to_columns[0]
            }) %}
        {% endfor %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro primary_key(node) %}
    {% set found = [] %}
    {% for column in node.columns.values() if column_constraints(column, 'primary_key') %}
        {% do found.append(column.name) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- Every set of columns whose values may stand only once: primary key, unique columns, unique indexes. -#}
{% macro unique_keys(node) %}
    {% set found = [primary_key(node)] %}
    {% for column in node.columns.values() if column_constraints(column, 'unique') %}
        {% do found.append([column.name]) %}
    {% endfor %}
    {% for index in node.config.meta.get('indexes', []) if index.get('unique') %}
        {% do found.append(index.columns) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
