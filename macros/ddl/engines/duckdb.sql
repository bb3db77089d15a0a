{#- DuckDB. No triggers and no cascades: docs/adapters.md names what stands in their place. -#}

{% macro duckdb__quote_mark() %}{{ return('"') }}{% endmacro %}

{% macro duckdb__ddl_type(logical) %}
    {{ return({
        'text': 'VARCHAR', 'integer': 'BIGINT', 'real': 'DOUBLE', 'boolean': 'BOOLEAN',
        'timestamp': 'TIMESTAMP', 'json': 'JSON', 'blob': 'BLOB'
    }[logical]) }}
{% endmacro %}

{#- The parser refuses ON DELETE CASCADE and SET NULL: a parent with children can't be deleted. -#}
{% macro duckdb__ddl_reference(foreign, schema) %}
    {{ return(
        'references ' ~ qualify_name(foreign.to, 'duckdb', schema) ~ ' (' ~ quote_names(foreign.to_columns, 'duckdb') ~ ')'
    ) }}
{% endmacro %}

{% macro duckdb__ddl_index_target(name, table, schema) %}
    {{ return(quote_name(name, 'duckdb') ~ ' on ' ~ qualify_name(table, 'duckdb', schema)) }}
{% endmacro %}

{% macro duckdb__plan_immutability(node, schema) %}{{ return([]) }}{% endmacro %}
