{#-
    Grain: one day (UTC), component and remedy; attempts without a readable time stand on the day of NULLs, system-wide
    ones under the unknown component.
-#}
with healing as (
    select * from {{ ref('fact_healing_actions') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

components as (
    select * from {{ ref('dim_component') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        components.component_name,
        healing.action_type,

        count(*) as total_actions,
        count(case when healing.was_successful then 1 end) as successful_actions
    from healing
    inner join minutes on minutes.time_key = healing.time_key
    inner join components on components.component_key = healing.component_key
    group by minutes.year, minutes.month, minutes.day, components.component_name, healing.action_type
)

select * from final
