{#- A key stands once and is never NULL, asked in one scan where dbt's `unique` and `not_null` take two. -#}
{% test stands_once(model, column_name) %}
    select
        {{ column_name }} as key,
        count(*) as times
    from {{ model }}
    group by {{ column_name }}
    having count(*) > 1 or {{ column_name }} is null
{% endtest %}
