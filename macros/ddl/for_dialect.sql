{#- The macro `<dialect>__<name>`. Explicit, not adapter.dispatch: a plan is made for databases that dbt has no adapter for. -#}
{% macro for_dialect(name, dialect) %}
    {% set found = context.get(dialect ~ '__' ~ name) %}
    {% if found is none %}
        {{ exceptions.raise_compiler_error(
            "no DDL for dialect '" ~ dialect ~ "' (known: duckdb, sqlite): it needs a macro " ~ dialect ~ "__" ~ name
        ) }}
    {% endif %}
    {{ return(found) }}
{% endmacro %}
