{#- No two rows agree in all of these columns, NULL counting as a value. -#}
{% test stands_once(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as times
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}
