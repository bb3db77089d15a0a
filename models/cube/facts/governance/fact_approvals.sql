{#-
    Grain: one request for a human decision. Natural id: approval_id. Only approved and rejected are answers: whatever else
    stands there still waits, and has no decision time even where a moment was filled in.
-#}
{{ config(unique_key='approval_key') }}

with requests as (
    select
        *,
        coalesce(approval_status in ('approved', 'rejected'), {{ truth(false) }}) as is_decided
    from {{ ref('int_governance__guarded') }}
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
        {{ surrogate_key(['requests.approval_id']) }} as approval_key,
        {{ time_key('requests.created_at') }} as time_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(approvers.actor_key, {{ unknown_key() }}) as actor_key,
        coalesce(requesters.actor_key, {{ unknown_key() }}) as requester_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,

        requests.approval_id,
        case
            when requests.playbook_run_id is not null then 'playbook_run'
            when requests.contract_id is not null then 'action_contract'
            else 'other'
        end as approval_type,
        requests.reason as action_description,
        requests.contract_id,
        requests.playbook_run_id,
        requests.tier_code,
        requests.approval_status,

        case
            when requests.is_decided then {{ seconds_between('requests.created_at', 'requests.decided_at') }}
        end as decision_time_seconds,
        requests.risk_score,

        case when requests.is_decided then requests.approval_status = 'approved' end as was_approved,
        not requests.is_decided as is_waiting,

        requests.created_at,
        requests.decided_at
    from requests
    left join actors as approvers on approvers.spelling = requests.decision_by
    left join actors as requesters on requesters.spelling = requests.requested_by
    left join missions
        on
            missions.mission_id = requests.mission_id
            and {{ in_force('missions', 'requests.created_at') }}
    left join tiers
        on
            tiers.tier_code = requests.tier_code
            and {{ in_force('tiers', 'requests.created_at') }}
)

select * from final
