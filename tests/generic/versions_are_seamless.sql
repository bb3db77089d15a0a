{#- The versions of each member follow one another without gap or overlap, and the last one is open and current. -#}
{% test versions_are_seamless(model, natural_id) %}
    with versions as (
        select
            {{ natural_id }} as natural_id,
            effective_from,
            effective_to,
            is_current,
            lead(effective_from) over (partition by {{ natural_id }} order by effective_from) as next_from
        from {{ model }}
    )

    select *
    from versions
    where
        (effective_to is not null and effective_to <= effective_from)
        or (next_from is not null and (effective_to is null or effective_to <> next_from or is_current))
        or (next_from is null and is_current <> (effective_to is null))
{% endtest %}
