{#- A total equals the sum of its parts, in every row. -#}
{% test adds_up(model, total, parts) %}
    select *
    from {{ model }}
    where {{ total }} is null or {{ total }} <> {{ parts | join(' + ') }}
{% endtest %}
