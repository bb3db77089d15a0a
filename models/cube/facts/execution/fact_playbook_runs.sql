{#-
    Grain: one run of a playbook. Natural id: playbook_run_id. Tier and mission are those of the contract under which the
    run acts; a state that no list names is open, so that nothing leaves the queue unseen.
-#}
{{ config(unique_key='playbook_run_key') }}

with runs as (
    select * from {{ ref('int_execution__contracted') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

missions as (
    select * from {{ ref('dim_mission') }}
),

components as (
    select * from {{ ref('dim_component') }}
),

tiers as (
    select * from {{ ref('dim_tier') }}
),

final as (
    select
        {{ surrogate_key(['runs.playbook_run_id']) }} as playbook_run_key,
        {{ time_key('runs.created_at') }} as time_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,
        coalesce(components.component_key, {{ unknown_key() }}) as component_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        runs.playbook_run_id,
        runs.playbook_id,
        runs.component_name,
        runs.contract_id,
        runs.approval_id,
        runs.run_status,

        {{ seconds_between('runs.created_at', 'runs.started_at') }} as waiting_seconds,
        {{ seconds_between('runs.started_at', 'runs.ended_at') }} as run_seconds,
        {{ seconds_between('runs.created_at', 'runs.ended_at') }} as total_seconds,

        coalesce(runs.run_status = 'succeeded', {{ truth(false) }}) as was_successful,
        coalesce(runs.run_status = 'rolled_back', {{ truth(false) }}) as was_rolled_back,
        not coalesce(
            runs.run_status in ('succeeded', 'failed', 'rolled_back', 'aborted'), {{ truth(false) }}
        ) as is_open,
        runs.approval_id is not null as required_approval,

        runs.created_at,
        runs.started_at,
        runs.ended_at
    from runs
    left join actors on actors.spelling = runs.requested_by
    left join missions
        on
            missions.mission_id = runs.mission_id
            and {{ in_force('missions', 'runs.created_at') }}
    left join components
        on
            components.component_name = runs.component_name
            and {{ in_force('components', 'runs.created_at') }}
    left join tiers
        on
            tiers.tier_code = runs.tier_code
            and {{ in_force('tiers', 'runs.created_at') }}
)

select * from final
