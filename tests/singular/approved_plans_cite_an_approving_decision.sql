{{ config(severity='warn') }}

{% set intel_plans = stored_text(
    operational('intelligence', 'intel_plans'),
    ['plan_id', 'governance_approved', 'governance_decision_id']
) %}
{% set governance_decisions = stored_text(
    operational('core', 'governance_decisions'), ['decision_id', 'approved']
) %}

-- No foreign key holds the reference, and a decision that refuses is a decision too. Decisions are
-- never deleted, so one that can't be found was never made.
{% call when_present([intel_plans, governance_decisions]) %}
with

intel_plans as (
    {{ intel_plans }}
),

governance_decisions as (
    {{ governance_decisions }}
),

approving as (
    select distinct decision_id
    from governance_decisions
    where {{ read_boolean('approved') }}
),

cited as (
    select
        plan_id,
        governance_decision_id
    from intel_plans
    where {{ read_boolean('governance_approved') }} and trim(governance_decision_id) <> ''
),

final as (
    select
        'an approved plan cites a decision that approves' as rule,
        cited.plan_id as row_key,
        cited.governance_decision_id as found
    from cited
    left join approving
        on cited.governance_decision_id = approving.decision_id
    where approving.decision_id is null
)

select * from final
{% endcall %}
