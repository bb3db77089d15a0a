{#- Grain: one remediation attempted outside a playbook. Natural id: healing_id. -#}
{{ config(unique_key='healing_key') }}

with healing as (
    select * from {{ ref('stg_execution__healing_actions') }}
),

components as (
    select * from {{ ref('dim_component') }}
),

final as (
    select
        {{ surrogate_key(['healing.healing_id']) }} as healing_key,
        {{ time_key('healing.created_at') }} as time_key,
        coalesce(components.component_key, {{ unknown_key() }}) as component_key,

        healing.healing_id,
        healing.component_name,
        healing.action_type,
        healing.result,

        coalesce(lower(healing.result) in ('success', 'succeeded'), {{ truth(false) }}) as was_successful,

        healing.created_at
    from healing
    left join components
        on
            components.component_name = healing.component_name
            and {{ in_force('components', 'healing.created_at') }}
)

select * from final
