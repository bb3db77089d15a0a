{#-
    The embedded operational schema, created where it is missing before anything else runs. A configured live database
    is never touched from here: `grace-dbt init` does that.
-#}
{% macro create_operational_schema() %}
    {% if execute and not live_operational() %}
        {% set schema = 'operational' %}
        {% set present = operational_table_names(schema) %}
        {% set plan = [] %}
        {% for step in plan_ddl(target.type, schema) if step.table not in present %}
            {% do plan.append(step) %}
        {% endfor %}
        {% if plan %}
            {% call statement('create_operational_schema', auto_begin=True) %}
                {{ operational_schema_statement(schema) }}
            {% endcall %}
            {% for step in plan %}
                {% call statement(step.name, auto_begin=True) %}
                    {{ step.sql }}
                {% endcall %}
            {% endfor %}
            {% do adapter.commit() %}
            {{ log('created ' ~ plan | length ~ ' objects of the operational schema', info=true) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro live_operational() %}{{ return(env_var('GRACE_OPERATIONAL_URL', '') != '') }}{% endmacro %}
