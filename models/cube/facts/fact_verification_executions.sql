{#-
    Grain: one action contract, in its present state. Natural id: contract_id.

    A run takes the contracts that landing saw change, those whose benchmark changed, those with a value in quarantine
    (a time ahead of the clock is read once the clock has caught up), and those whose stamped key is no longer right: a
    version of a tier that was opened or moved, an actor that the seed of spellings now names otherwise.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='contract_id',
    post_hook="delete from {{ this }} where contract_id in (
        select contract_id from {{ this }}
        except
        select contract_id from {{ ref('stg_verification__action_contracts') }}
    )"
) }}

-- depends_on: {{ ref('land_action_contracts') }}
with contracts as (
    select * from {{ ref('stg_verification__action_contracts') }}
),

benchmarks as (
    select * from {{ ref('stg_verification__benchmark_runs') }}
),

tiers as (
    select * from {{ ref('dim_tier') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
){% if is_incremental() %},

known as (
    select * from {{ this }}
),

changed_benchmarks as (
    select
        run_id as benchmark_run_id,
        {{ benchmarked_contract('triggered_by') }} as contract_id
    from {{ ref('land_benchmark_runs') }}
    where _change_seq > (select coalesce(max(_benchmark_seq), 0) from known)
),

touched as (
    select contract_id
    from contracts
    where _change_seq > (select coalesce(max(_contract_seq), 0) from known)

    union

    select contract_id from changed_benchmarks

    union

    select id
    from {{ ref('land_action_contracts') }}
    where _has_finding

    union

    select {{ benchmarked_contract('triggered_by') }}
    from {{ ref('land_benchmark_runs') }}
    where _has_finding

    union

    select contract_id
    from known
    where benchmark_run_id in (select benchmark_run_id from changed_benchmarks)

    union

    select known.contract_id
    from known
    left join tiers
        on
            tiers.tier_code = known.tier_code
            and {{ in_force('tiers', 'known.created_at') }}
    where known.tier_key <> coalesce(tiers.tier_key, {{ unknown_key() }})

    union

    select known.contract_id
    from known
    inner join contracts on contracts.contract_id = known.contract_id
    inner join actors on actors.triggered_by = contracts.triggered_by
    where known.actor_key <> {{ surrogate_key(['actors.actor_id']) }}
){% endif %},

selected as (
    select *
    from contracts
    {% if is_incremental() %}
    where contract_id in (select contract_id from touched)
    {% endif %}
),

latest_benchmarks as (
    select
        *,
        row_number() over (
            partition by contract_id order by created_at desc, benchmark_run_id desc
        ) as recency
    from benchmarks
    where contract_id in (select contract_id from selected)
),

final as (
    select
        {{ surrogate_key(['selected.contract_id']) }} as execution_key,
        {{ time_key('selected.created_at') }} as time_key,
        {{ unknown_key() }} as mission_key,
        {{ unknown_key() }} as component_key,
        coalesce(tiers.tier_key, {{ unknown_key() }}) as tier_key,
        coalesce({{ surrogate_key(['actors.actor_id']) }}, {{ unknown_key() }}) as actor_key,

        selected.contract_id,
        selected.action_type,
        selected.playbook_id,
        selected.tier_code,
        latest_benchmarks.benchmark_run_id,

        {{ seconds_between('selected.created_at', 'selected.verified_at') }} as duration_seconds,
        selected.confidence_score,
        latest_benchmarks.drift_score,

        coalesce(selected.contract_status = 'verified', {{ truth(false) }}) as was_successful,
        coalesce(selected.contract_status = 'rolled_back', {{ truth(false) }}) as was_rolled_back,
        selected.snapshot_id is not null as created_snapshot,
        latest_benchmarks.has_passed as passed_benchmark,

        selected.contract_status,
        selected.error_message,
        selected.created_at,
        selected.executed_at,
        selected.verified_at,

        selected._change_seq as _contract_seq,
        (select coalesce(max(_change_seq), 0) from {{ ref('land_benchmark_runs') }}) as _benchmark_seq
    from selected
    left join tiers
        on
            tiers.tier_code = selected.tier_code
            and {{ in_force('tiers', 'selected.created_at') }}
    left join actors on actors.triggered_by = selected.triggered_by
    left join latest_benchmarks
        on latest_benchmarks.contract_id = selected.contract_id and latest_benchmarks.recency = 1
)

select * from final
