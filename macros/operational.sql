{#-
    The relation of an operational table. Where the embedded sample is in use it also makes the caller wait for the
    sample rows: dbt sees no edge from a seed to a source, so the order is put into the graph here.
-#}
{% macro operational(component, table) %}
    {% if not live_operational() %}
        {% do ref('operational_sample') %}
    {% endif %}
    {{ return(source(component, table)) }}
{% endmacro %}
