{#-
    Grain: one approval request, with what waits for it. A playbook run quotes its request; a contract alone can't, so the
    governance engine puts the contract's id first in the reason. Where several runs quote one request, the first one counts.
-#}
with requests as (
    select
        *,
        coalesce({{ text_before('reason', ' ') }}, reason) as first_word
    from {{ ref('stg_governance__approval_requests') }}
),

runs as (
    select
        *,
        row_number() over (
            partition by approval_id
            order by {{ number_order('playbook_run_id') }}
        ) as precedence
    from {{ ref('int_execution__contracted') }}
    where approval_id is not null
),

contracts as (
    select * from {{ ref('stg_verification__action_contracts') }}
),

final as (
    select
        requests.approval_id,
        requests.reason,
        requests.approval_status,
        requests.requested_by,
        requests.decision_by,
        requests.created_at,
        requests.decided_at,
        runs.playbook_run_id,
        runs.risk_score,
        contracts.contract_id,
        contracts.tier_code,
        contracts.mission_id
    from requests
    left join runs on runs.approval_id = requests.approval_id and runs.precedence = 1
    left join contracts on contracts.contract_id = coalesce(runs.contract_id, requests.first_word)
)

select * from final
