{#- Grain: one component that data names. -#}
with seen as (
    {% for model, column in spelled_components() %}
    select {{ column }} as component_name
    from {{ ref(model) }}
    where {{ column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select distinct component_name from seen
)

select * from final
