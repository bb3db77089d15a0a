{#- The versions of each member follow one another without gap or overlap, and at most one of them is current. -#}
{% test versions_are_seamless(model, natural_id) %}
    with versions as (
        select
            {{ natural_id }} as natural_id,
            effective_from,
            effective_to,
            lead(effective_from) over (partition by {{ natural_id }} order by effective_from) as next_from,
            sum(case when is_current then 1 else 0 end) over (partition by {{ natural_id }}) as current_versions
        from {{ model }}
    )

    select *
    from versions
    where
        (effective_to is not null and effective_to <= effective_from)
        or (next_from is not null and (effective_to is null or effective_to <> next_from))
        or current_versions > 1
{% endtest %}
