{#-
    Grain: one playbook run, with the contract under which it acts. A run may carry out several contracts, one a step: the
    first of them speaks for the run, so that a run has one tier and one mission.
-#}
with runs as (
    select * from {{ ref('stg_execution__playbook_runs') }}
),

contracts as (
    select
        *,
        row_number() over (
            partition by playbook_run_id
            order by case when created_at is null then 1 else 0 end, created_at, {{ byte_order('contract_id') }}
        ) as precedence
    from {{ ref('stg_verification__action_contracts') }}
    where playbook_run_id is not null
),

final as (
    select
        runs.*,
        contracts.contract_id,
        contracts.tier_code,
        contracts.mission_id
    from runs
    left join contracts on contracts.playbook_run_id = runs.playbook_run_id and contracts.precedence = 1
)

select * from final
