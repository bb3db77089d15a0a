{#-
    The macro `<dialect>__<name>`. Explicit, not adapter.dispatch: a plan is made for databases that dbt has no adapter for.
    MariaDB is MySQL wherever it has no body of its own.
-#}
{% macro for_dialect(name, dialect) %}
    {% set found = context.get(dialect ~ '__' ~ name) %}
    {% if found is none and dialect == 'mariadb' %}
        {% set found = context.get('mysql__' ~ name) %}
    {% endif %}
    {% if found is none %}
        {{ exceptions.raise_compiler_error(
            "no DDL for dialect '" ~ dialect ~ "' (known: duckdb, mariadb, mysql, postgres, sqlite): it needs a macro " ~ dialect
            ~ '__' ~ name
        ) }}
    {% endif %}
    {{ return(found) }}
{% endmacro %}
