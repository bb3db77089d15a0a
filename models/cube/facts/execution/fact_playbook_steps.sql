{#-
    Grain: one attempted step of a playbook run. Natural id: step_run_id. What is repaired and who asked are told by the run
    alone; a step whose run is gone keeps its number and points to nobody.
-#}
{{ config(unique_key='step_key') }}

with steps as (
    select * from {{ ref('stg_execution__playbook_step_runs') }}
),

runs as (
    select * from {{ ref('stg_execution__playbook_runs') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

components as (
    select * from {{ ref('dim_component') }}
),

final as (
    select
        {{ surrogate_key(['steps.step_run_id']) }} as step_key,
        {{ time_key('steps.created_at') }} as time_key,
        coalesce(components.component_key, {{ unknown_key() }}) as component_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        steps.step_run_id,
        steps.playbook_run_id,
        runs.playbook_id,
        steps.step_id,
        steps.step_order,
        steps.step_status,

        {{ seconds_between('steps.created_at', 'steps.ended_at') }} as duration_seconds,

        coalesce(steps.step_status = 'succeeded', {{ truth(false) }}) as was_successful,

        steps.created_at,
        steps.ended_at
    from steps
    left join runs on runs.playbook_run_id = steps.playbook_run_id
    left join actors on actors.spelling = runs.requested_by
    left join components
        on
            components.component_name = runs.component_name
            and {{ in_force('components', 'steps.created_at') }}
)

select * from final
