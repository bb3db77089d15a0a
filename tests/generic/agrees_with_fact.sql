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
        from {{ relation_of(fact) }}
    ),

    -- A row for each total by one join: a branch for each would take longer to plan than to run.
    totals (place, total) as (
        values
        {% for column in totals %}
        ({{ loop.index }}, '{{ column }}'),
        {% endfor %}
        (0, 'one is empty')
    ),

    compared as (
        select
            totals.total,
            case totals.place
                {% for column in totals %}
                when {{ loop.index }} then in_rollup.total_{{ loop.index }}
                {% endfor %}
                else in_rollup.rows_found
            end as rollup_has,
            case totals.place
                {% for column in totals %}
                when {{ loop.index }} then in_fact.total_{{ loop.index }}
                {% endfor %}
                else in_fact.rows_found
            end as fact_has,
            case totals.place
                {% for column in totals %}
                when {{ loop.index }} then 0.000000001 * (1 + in_fact.size_{{ loop.index }})
                {% endfor %}
            end as allowed
        from in_rollup
        cross join in_fact
        cross join totals
    )

    select
        total,
        rollup_has,
        fact_has
    from compared
    where
        abs(rollup_has - fact_has) > allowed
        or (allowed is null and (rollup_has = 0) <> (fact_has = 0))
{% endtest %}
