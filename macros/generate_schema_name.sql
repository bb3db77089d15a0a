{#-
    Schemas are named plainly: landing, staging, snapshots, and the target's own for the cube. A SQLite schema is a file,
    and a view can't reach from one file into another: there everything stands in main.
-#}
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return(adapter.dispatch('schema_of', 'grace')(custom_schema_name)) }}
{% endmacro %}

{% macro default__schema_of(custom_schema_name) %}{{ return((custom_schema_name or target.schema) | trim) }}{% endmacro %}

{% macro sqlite__schema_of(custom_schema_name) %}{{ return(target.schema) }}{% endmacro %}
