{#- Readers of one declared table: what dbt keeps of its columns, as short lists. -#}

{% macro declared_table(name) %}
    {#- A filter looks in Python: this is asked some hundred times a run. -#}
    {% for node in graph.sources.values() | selectattr('name', 'equalto', name) if node.original_file_path.startswith('models/operational/') %}
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

{#- The columns that a key, an index or a reference is made of, on this table's side or on that of its children. -#}
{% macro key_columns(node) %}
    {% set found = [] %}
    {% for key in unique_keys(node) %}
        {% do found.extend(key) %}
    {% endfor %}
    {% for index in node.config.meta.get('indexes', []) %}
        {% do found.extend(index.columns) %}
    {% endfor %}
    {% for foreign in foreign_keys(node) %}
        {% do found.append(foreign.column) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- What a refusal says of a table whose rows stay as they are. -#}
{% macro immutability_rule(node) %}
    {{ return(node.name ~ (' is append-only' if node.config.meta.mutability == 'append_only' else ' is immutable after creation')) }}
{% endmacro %}

{#- Servers don't keep the statement that made a table: its comment tells `init` that it was ours. -#}
{% macro table_comment(node) %}
    {{ return(node.config.meta.grain | replace("'", "''") ~ '. Made by grace-dbt.') }}
{% endmacro %}
