{#-
    Grain: one action contract, in its present state. Natural id: contract_id. The component is the one that triggered the
    action, else the executor, under which every contract runs. The newest benchmark of a contract counts.
-#}
{{ config(unique_key='execution_key') }}

with contracts as (
    select * from {{ ref('stg_verification__action_contracts') }}
),

benchmarks as (
    select
        *,
        row_number() over (
            partition by contract_id
            order by
                coalesce(created_at, {{ beginning() }}) desc,
                {{ byte_order("coalesce(benchmark_run_id, '')") }} desc,
                benchmark_key desc
        ) as recency
    from {{ ref('stg_verification__benchmark_runs') }}
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
        contracts.contract_key as execution_key,
        {{ time_key('contracts.created_at') }} as time_key,
        coalesce(missions.mission_key, {{ unknown_key() }}) as mission_key,
        coalesce(components.component_key, {{ unknown_key() }}) as component_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        contracts.contract_id,
        contracts.action_type,
        contracts.playbook_id,
        contracts.mission_id,
        contracts.tier_code,
        contracts.snapshot_id,
        benchmarks.benchmark_run_id,

        {{ seconds_between('contracts.created_at', 'contracts.verified_at') }} as duration_seconds,
        contracts.confidence_score,
        benchmarks.drift_score,

        coalesce(contracts.contract_status = 'verified', {{ truth(false) }}) as was_successful,
        coalesce(contracts.contract_status = 'rolled_back', {{ truth(false) }}) as was_rolled_back,
        contracts.snapshot_id is not null as created_snapshot,
        benchmarks.has_passed as passed_benchmark,
        benchmarks.drift_detected,

        contracts.contract_status,
        contracts.error_message,
        contracts.created_at,
        contracts.executed_at,
        contracts.verified_at
    from contracts
    left join actors on actors.spelling = contracts.triggered_by
    left join missions
        on
            missions.mission_id = contracts.mission_id
            and {{ in_force('missions', 'contracts.created_at') }}
    left join components
        on
            components.component_name = coalesce(actors.component_name, 'action_executor')
            and {{ in_force('components', 'contracts.created_at') }}
    left join tiers
        on
            tiers.tier_code = contracts.tier_code
            and {{ in_force('tiers', 'contracts.created_at') }}
    left join benchmarks
        on benchmarks.contract_id = contracts.contract_id and benchmarks.recency = 1
)

select * from final
