{#- Grain: one spelling of an actor, wherever it was written. -#}
with spelled as (
    {% for model, column in spelled_actors() %}
    select {{ column }} as spelling
    from {{ ref(model) }}
    where {{ column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Made distinct once: a chain of unions would do it again at each of them.
final as (
    select distinct spelling from spelled
)

select * from final
