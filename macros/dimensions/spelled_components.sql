{#- Where a component is named, as (model, column): what is in no register becomes a row of dim_component from here. -#}
{% macro spelled_components() %}
    {{ return([
        ('int_error__events', 'component_name'),
        ('stg_execution__healing_actions', 'component_name'),
        ('stg_execution__playbook_runs', 'component_name')
    ]) }}
{% endmacro %}
