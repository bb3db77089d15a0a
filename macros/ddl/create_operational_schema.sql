{#-
    The embedded operational schema, created where it is missing before anything else runs, in one transaction. A
    configured live database is never touched from here: `grace-dbt init` does that.
-#}
{% macro create_operational_schema() %}
    {% if execute and not live_operational() %}
        {% set schema = api.Relation.create(database=target.database, schema='operational') %}
        {% if not adapter.check_schema_exists(target.database, schema.schema) %}
            {% do adapter.create_schema(schema) %}
        {% endif %}
        {% set present = list_relations_without_caching(schema).columns['name'].values() %}
        {% set plan = [] %}
        {% for step in plan_ddl(target.type, schema.schema) if step.table not in present %}
            {% do plan.append(step) %}
        {% endfor %}
        {% for step in plan %}
            {% call statement(step.name, auto_begin=True) %}
                {{ step.sql }}
            {% endcall %}
        {% endfor %}
        {% if plan %}
            {% do adapter.commit() %}
            {{ log('created ' ~ plan | length ~ ' objects of the embedded operational schema', info=true) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{#- Whether a live database is configured; without one, dbt works on the embedded schema and its sample rows. -#}
{% macro live_operational() %}{{ return(env_var('GRACE_OPERATIONAL_URL', '') != '') }}{% endmacro %}
