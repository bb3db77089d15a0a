{#- One query over a declared table: a row for each breach, as rule, row_key, found. The table is scanned once. -#}
{% macro contract_query(relation) %}
    {% set node = declared_table(relation.identifier) %}
    {% set present = present_columns(relation) %}
    {% set missing = node.columns | reject('in', present) | list %}
    {% if missing %}
        {{ return(missing_columns_query(missing, present)) }}
    {% endif %}
    {% set key = as_text(quote_name(primary_key(node)[0], target.type)) %}
    {% set branches = [] %}
    {% for rule in contract_rules(node) %}
        {% do branches.append(
            "select '" ~ rule.name ~ "' as rule, " ~ key ~ " as row_key, " ~ as_text(rule.found) ~ " as found"
            ~ " from table_rows where " ~ rule.breach
        ) %}
    {% endfor %}
    {{ return(
        'with table_rows as materialized (' ~ rows_as_text(relation, node.columns, present) ~ ')\n' ~ branches | join('\nunion all\n')
    ) }}
{% endmacro %}

{#- A table that another writer made may lack columns; one that is not there lacks them all. -#}
{% macro missing_columns_query(missing, present) %}
    {% set branches = [] %}
    {% for name in missing if present %}
        {% do branches.append("select 'column is missing: " ~ name ~ "' as rule, null as row_key, null as found") %}
    {% endfor %}
    {{ return(branches | join('\nunion all\n') or "select 'table is missing' as rule, null as row_key, null as found") }}
{% endmacro %}

{#- The rules of a declared table: {name, found, breach}, the last two as SQL over its rows. -#}
{% macro contract_rules(node) %}
    {% set rules = [] %}
    {% for column in node.columns.values() %}
        {% set name = quote_name(column.name, target.type) %}
        {% set typed = read_column(name, column.data_type) %}
        {% set meta = column.config.meta %}
        {% if column_constraints(column, 'not_null') %}
            {% do rules.append({'name': 'not_null: ' ~ column.name, 'found': 'null', 'breach': name ~ ' is null'}) %}
        {% endif %}
        {% if column.data_type not in ('text', 'blob') %}
            {% do rules.append({
                'name': 'readable as ' ~ column.data_type ~ ': ' ~ column.name, 'found': name,
                'breach': name ~ ' is not null and (' ~ typed ~ ') is null'
            }) %}
        {% endif %}
        {% if meta.get('format') == 'timestamp' %}
            {% do rules.append({
                'name': 'readable as timestamp: ' ~ column.name, 'found': name,
                'breach': name ~ ' is not null and (' ~ read_timestamp(name) ~ ') is null'
            }) %}
        {% endif %}
        {% for check in column_constraints(column, 'check') %}
            {% do rules.append({
                'name': 'check: ' ~ column.name, 'found': name,
                'breach': 'not (' ~ check.expression | replace('{column}', '(' ~ typed ~ ')') ~ ')'
            }) %}
        {% endfor %}
        {% if meta.accepted_values is defined %}
            {% do rules.append({
                'name': 'accepted_values: ' ~ column.name, 'found': name,
                'breach': name ~ " not in ('" ~ meta.accepted_values | join("', '") ~ "')"
            }) %}
        {% endif %}
        {% if meta.range is defined %}
            {% set bounds = [] %}
            {% if meta.range[0] is not none %}{% do bounds.append('(' ~ typed ~ ') < ' ~ meta.range[0]) %}{% endif %}
            {% if meta.range[1] is not none %}{% do bounds.append('(' ~ typed ~ ') > ' ~ meta.range[1]) %}{% endif %}
            {% do rules.append({
                'name': 'range: ' ~ column.name, 'found': name, 'breach': '(' ~ bounds | join(' or ') ~ ')'
            }) %}
        {% endif %}
    {% endfor %}
    {% for key in unique_keys(node) %}
        {% set names = quote_names(key, target.type) %}
        {% do rules.append({
            'name': 'unique: ' ~ key | join(', '), 'found': 'null',
            'breach': '(' ~ names ~ ') in (select ' ~ names ~ ' from table_rows group by ' ~ names ~ ' having count(*) > 1)'
        }) %}
    {% endfor %}
    {% for foreign in foreign_keys(node) %}
        {% set column = quote_name(foreign.column, target.type) %}
        {% set parent = declared_table(foreign.to) %}
        {% do rules.append({
            'name': 'foreign_key: ' ~ foreign.column ~ ' -> ' ~ foreign.to, 'found': column,
            'breach': column ~ ' is not null and ' ~ as_text(column) ~ ' in (select ' ~ as_text(column) ~ ' from table_rows except select '
                ~ as_text(quote_name(foreign.to_column, target.type)) ~ ' from ' ~ parent.relation_name ~ ')'
        }) %}
    {% endfor %}
    {{ return(rules) }}
{% endmacro %}

{% macro as_text(expression) %}{{ return('cast(' ~ expression ~ ' as ' ~ dbt.type_string() ~ ')') }}{% endmacro %}
