{#- DuckDB. No triggers and no cascades: docs/adapters.md names what stands in their place. -#}

{% macro duckdb__quote_mark() %}{{ return('"') }}{% endmacro %}

{% macro duckdb__ddl_type(logical, in_key=false, hashed=false) %}
    {{ return({
        'text': 'VARCHAR', 'integer': 'BIGINT', 'real': 'DOUBLE', 'boolean': 'BOOLEAN',
        'timestamp': 'TIMESTAMP', 'json': 'JSON', 'blob': 'BLOB'
    }[logical]) }}
{% endmacro %}

{#- The parser refuses ON DELETE CASCADE and SET NULL: a parent with children can't be deleted. -#}
{% macro duckdb__ddl_reference(foreign, node, schema) %}
    {{ return(
        'references ' ~ qualify_name(foreign.to, 'duckdb', schema) ~ ' (' ~ quote_names(foreign.to_columns, 'duckdb') ~ ')'
    ) }}
{% endmacro %}

{% macro duckdb__ddl_index_target(name, table, schema) %}
    {{ return('if not exists ' ~ quote_name(name, 'duckdb') ~ ' on ' ~ qualify_name(table, 'duckdb', schema)) }}
{% endmacro %}

{% macro duckdb__plan_immutability(node, schema) %}{{ return([]) }}{% endmacro %}

{% macro duckdb__automatic_key() %}{{ return('') }}{% endmacro %}

{% macro duckdb__ddl_default(value) %}{{ return(value) }}{% endmacro %}

{% macro duckdb__references_stand_apart() %}{{ return(false) }}{% endmacro %}

{% macro duckdb__table_options(node) %}{{ return('') }}{% endmacro %}

{#- DuckDB keeps the statement itself, by which `init` knows its own tables. -#}
{% macro duckdb__plan_comment(node, schema) %}{{ return([]) }}{% endmacro %}

{#- A column with a constraint can't be added. -#}
{% macro duckdb__addable_column(column, node) %}
    {% set default = column.config.meta.get('default') %}
    {% set filled = ' default ' ~ default if default is not none and default != 'CURRENT_TIMESTAMP' else '' %}
    {{ return(quote_name(column.name, 'duckdb') ~ ' ' ~ duckdb__ddl_type(column.data_type) ~ filled) }}
{% endmacro %}

{% macro duckdb__plan_set_default(column, node) %}{{ return(plan_set_default(column, node, 'duckdb')) }}{% endmacro %}
