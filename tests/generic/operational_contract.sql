{#-
    Every rule of one declared table in one query; a failing row names its rule, its key and what was found. Severity is
    warn: what a live Grace wrote must not stop its own cube. `grace-dbt test` turns warnings into an exit code.
-#}
{% test operational_contract(model) %}
    {{ config(severity='warn') }}
    {% if not live_operational() %}
        {% do ref('operational_sample') %}
    {% endif %}
    {{ contract_query(model) if execute else 'select 1' }}
{% endtest %}
