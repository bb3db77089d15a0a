{#-
    Grain: one mission, as it stands. Natural id: mission_id. It points to its own open version, so that what is counted
    here and what the dimension calls current agree.
-#}
{{ config(unique_key='mission_progress_key') }}

with missions as (
    select * from {{ ref('int_mission__typed') }}
),

versions as (
    select * from {{ ref('dim_mission') }}
),

final as (
    select
        {{ surrogate_key(['missions.mission_id']) }} as mission_progress_key,
        {{ time_key('missions.started_at') }} as time_key,
        coalesce(versions.mission_key, {{ unknown_key() }}) as mission_key,

        missions.mission_id,
        missions.mission_type,
        missions.final_status,

        missions.planned_actions,
        missions.completed_actions,
        missions.failed_actions,
        missions.rolled_back_actions,
        missions.progress_ratio,
        missions.confidence_score,
        missions.health_score,
        {{ seconds_between('missions.started_at', 'missions.completed_at') }} as duration_seconds,

        coalesce(missions.final_status = 'completed', {{ truth(false) }}) as was_successful,
        missions.can_rollback,

        missions.started_at,
        missions.completed_at
    from missions
    left join versions on versions.mission_id = missions.mission_id and versions.is_current
)

select * from final
