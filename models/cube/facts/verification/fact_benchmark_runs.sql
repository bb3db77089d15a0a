{#-
    Grain: one run of a benchmark suite. Natural id: benchmark_id. A run that a contract asked for belongs to the
    contract's mission, tier and actor; any other to whoever asked.
-#}
{{ config(unique_key='benchmark_key') }}

with benchmarks as (
    select * from {{ ref('stg_verification__benchmark_runs') }}
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

asked as (
    select
        benchmarks.benchmark_key,
        benchmarks.benchmark_id,
        benchmarks.benchmark_run_id,
        contracts.contract_id,
        benchmarks.benchmark_type,
        benchmarks.baseline_id,
        benchmarks.duration_seconds,
        benchmarks.drift_score,
        benchmarks.has_passed,
        benchmarks.drift_detected,
        benchmarks.is_golden,
        benchmarks.created_at,
        contracts.mission_id,
        contracts.tier_code,
        -- Some writers put the bare id of the contract where a person or agent would stand.
        case when contracts.contract_id is null then benchmarks.asked_by else contracts.triggered_by end as asker
    from benchmarks
    left join contracts on contracts.contract_id = benchmarks.contract_id
),

final as (
    select
        asked.benchmark_key,
        {{ time_key('asked.created_at') }} as time_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        asked.benchmark_id,
        asked.benchmark_run_id,
        asked.contract_id,
        asked.benchmark_type,
        asked.baseline_id,

        asked.duration_seconds,
        asked.drift_score,

        asked.has_passed,
        asked.drift_detected,
        asked.is_golden,

        asked.created_at
    from asked
    left join actors on actors.spelling = asked.asker
    left join missions
        on
            missions.mission_id = asked.mission_id
            and {{ in_force('missions', 'asked.created_at') }}
    left join tiers
        on
            tiers.tier_code = asked.tier_code
            and {{ in_force('tiers', 'asked.created_at') }}
)

select * from final
