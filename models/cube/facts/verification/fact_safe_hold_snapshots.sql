{#-
    Grain: one captured state to fall back to. Natural id: snapshot_id. Mission and tier are those of the contract that
    it protects; one taken as a mission opens protects none yet and names the mission itself.
-#}
{{ config(unique_key='snapshot_key') }}

with snapshots as (
    select
        *,
        {{ reported_mission('triggered_by') }} as reported_mission_id
    from {{ ref('stg_verification__safe_hold_snapshots') }}
),

contracts as (
    select * from {{ ref('stg_verification__action_contracts') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

missions as (
    select * from {{ ref('dim_mission') }}
),

tiers as (
    select * from {{ ref('dim_tier') }}
),

final as (
    select
        snapshots.snapshot_key,
        {{ time_key('snapshots.created_at') }} as time_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        snapshots.snapshot_id,
        snapshots.snapshot_type,
        snapshots.snapshot_status,
        snapshots.contract_id,
        snapshots.playbook_run_id,

        snapshots.health_score,
        {{ seconds_between('snapshots.created_at', 'snapshots.validated_at') }} as validation_seconds,
        {{ seconds_between('snapshots.created_at', 'snapshots.restored_at') }} as restore_seconds,

        snapshots.is_golden,
        snapshots.is_validated,
        snapshots.restored_at is not null
        or coalesce(snapshots.snapshot_status = 'restored', {{ truth(false) }}) as was_restored,

        snapshots.created_at,
        snapshots.validated_at,
        snapshots.restored_at
    from snapshots
    left join contracts on contracts.contract_id = snapshots.contract_id
    left join actors on actors.spelling = snapshots.triggered_by
    left join missions
        on
            missions.mission_id = coalesce(contracts.mission_id, snapshots.reported_mission_id)
            and {{ in_force('missions', 'snapshots.created_at') }}
    left join tiers
        on
            tiers.tier_code = contracts.tier_code
            and {{ in_force('tiers', 'snapshots.created_at') }}
)

select * from final
