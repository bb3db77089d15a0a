{#- For `grace-dbt ddl` and `init`: the plan as one JSON line on the log. -#}
{% macro print_ddl_plan(dialect) %}
    {{ print('ddl-plan ' ~ tojson(plan_ddl(dialect))) }}
{% endmacro %}
