{#- Grain: one spelling of an actor, wherever it was written. -#}
with final as (
    {% for model, column in spelled_actors() %}
    select {{ column }} as spelling
    from {{ ref(model) }}
    where {{ column }} is not null
    {{ 'union' if not loop.last }}
    {% endfor %}
)

select * from final
