{#-
    No segment of an audit chain was tampered with. Severity warn: what happened can't be undone by stopping the cube, and
    `grace-dbt audit verify` ends with an exit code.
-#}
{% test chain_is_intact(model) %}
    {{ config(severity='warn') }}
    select
        chain,
        segment,
        first_bad_position
    from {{ model }}
    where verdict <> 'intact'
{% endtest %}
