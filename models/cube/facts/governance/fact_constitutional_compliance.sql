{#-
    Grain: one check of an action against the constitution. Natural id: compliance_id. Not every checked action is a contract:
    only one that is there lends its tier and mission.
-#}
{{ config(unique_key='compliance_key') }}

with checks as (
    select * from {{ ref('stg_governance__constitutional_compliance') }}
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
        {{ surrogate_key(['checks.compliance_id']) }} as compliance_key,
        {{ time_key('checks.created_at') }} as time_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        checks.compliance_id,
        checks.action_id,
        contracts.contract_id,
        checks.action_type,
        checks.resource,

        checks.principles_checked,
        checks.principles_failed,
        checks.violations,
        checks.compliance_score,

        checks.is_compliant,
        checks.explanation_provided,
        checks.reasoning_logged,
        checks.approval_obtained,
        checks.verification_signed,

        checks.created_at
    from checks
    left join contracts on contracts.contract_id = checks.action_id
    left join actors on actors.spelling = checks.actor
    left join missions
        on
            missions.mission_id = contracts.mission_id
            and {{ in_force('missions', 'checks.created_at') }}
    left join tiers
        on
            tiers.tier_code = contracts.tier_code
            and {{ in_force('tiers', 'checks.created_at') }}
)

select * from final
