{#-
    SQL functions that readers call, made in the cube's schema before anything runs: where SQL has no cast that gives NULL
    for what it can't read, only a function can catch the error. DuckDB has such casts, and dbt-sqlite gets its functions
    on every connection it opens.
-#}
{% macro create_functions() %}{% if execute %}{% do adapter.dispatch('create_functions', 'grace')() %}{% endif %}{% endmacro %}

{% macro default__create_functions() %}{% endmacro %}

{% macro postgres__create_functions() %}
    {% set schema = api.Relation.create(database=target.database, schema=target.schema) %}
    {% if not adapter.check_schema_exists(target.database, target.schema) %}
        {% do adapter.create_schema(schema) %}
    {% endif %}
    {% for function in (postgres_utc_timestamp(), postgres_try_real(), postgres_json_functions()) %}
        {% call statement('functions', auto_begin=True) %}{{ function }}{% endcall %}
    {% endfor %}
    {% do adapter.commit() %}
{% endmacro %}

{#- The qualified name of one of these functions. -#}
{% macro function_name(name) %}{{ return(adapter.quote(target.schema) ~ '.' ~ name) }}{% endmacro %}
