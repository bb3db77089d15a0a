{#-
    A rollup loses and doubles nothing: the sum of each of its columns over all rows is what the fact gives. `totals` maps a column
    of the rollup to SQL over the fact. Sums may differ by one part in 10^9 of what was added, signs aside: real numbers are added
    in another order, and where large ones cancel each other out the rest is small and their last digits are not.
    A rollup without rows fails where the fact has some, and the other way round; `counted` says which rows of the fact those are.
-#}
{% test agrees_with_fact(model, fact, totals, counted='count(*)') %}
    with in_rollup as (
        select
            {% for column in totals %}
            cast(coalesce(sum({{ column }}), 0) as double precision) as total_{{ loop.index }},
            {% endfor %}
            count(*) as rows_found
        from {{ model }}
    ),

    in_fact as (
        select
            {% for sql in totals.values() %}
            {% set size = 'sum(abs(' ~ sql[4:-1] ~ '))' if sql.startswith('sum(') else sql %}
            cast(coalesce({{ sql }}, 0) as double precision) as total_{{ loop.index }},
            cast(coalesce({{ size }}, 0) as double precision) as size_{{ loop.index }},
            {% endfor %}
            {{ counted }} as rows_found
        from {{ ref(fact) }}
    )

    {% for column in totals %}
    select
        '{{ column }}' as total,
        in_rollup.total_{{ loop.index }} as rollup_has,
        in_fact.total_{{ loop.index }} as fact_has
    from in_rollup
    cross join in_fact
    where
        abs(in_rollup.total_{{ loop.index }} - in_fact.total_{{ loop.index }})
        > 0.000000001 * (1 + in_fact.size_{{ loop.index }})

    union all

    {% endfor %}
    select
        'one is empty' as total,
        in_rollup.rows_found as rollup_has,
        in_fact.rows_found as fact_has
    from in_rollup
    cross join in_fact
    where (in_rollup.rows_found = 0) <> (in_fact.rows_found = 0)
{% endtest %}
