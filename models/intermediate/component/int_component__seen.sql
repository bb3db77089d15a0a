{#- Grain: one component that data names. -#}
with final as (
    {% for model, column in spelled_components() %}
    select {{ column }} as component_name
    from {{ ref(model) }}
    where {{ column }} is not null
    {{ 'union' if not loop.last }}
    {% endfor %}
)

select * from final
