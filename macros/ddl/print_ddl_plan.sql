{#- For `grace-dbt ddl`, `init` and `health`: the plan and the statements that mend, as one JSON line on the log. -#}
{% macro print_ddl_plan(dialect) %}
    {{ print('ddl-plan ' ~ tojson({'schema': plan_ddl(dialect), 'mends': plan_mends(dialect)})) }}
{% endmacro %}
