{{ config(severity='warn') }}

{% set intel_plans = stored_text(
    operational('intelligence', 'intel_plans'),
    [
        'plan_id', 'risk_level', 'governance_approved', 'governance_decision_id',
        'pre_flight_status', 'status',
    ]
) %}

-- Approval is a part of pre-flight, so a plan that left pre-flight must have it even before it
-- runs. A plan that was refused needs none: it ends as rejected, or as failed in pre-flight,
-- without having run.
{% call when_present([intel_plans]) %}
with

intel_plans as (
    {{ intel_plans }}
),

plans as (
    select
        plan_id,
        risk_level,
        coalesce(status, 'ready') as status,
        coalesce(pre_flight_status, 'pending') as pre_flight_status,
        governance_decision_id,
        coalesce({{ read_boolean('governance_approved') }}, {{ truth(false) }}) as is_approved
    from intel_plans
),

begun as (
    select *
    from plans
    where
        status in ('executing', 'completed')
        or (
            status <> 'rejected'
            and pre_flight_status not in ('failed', 'rejected')
            and (status = 'failed' or pre_flight_status <> 'pending')
        )
),

final as (
    select
        'a ' || risk_level || '-risk plan needs a governance decision before it runs' as rule,
        plan_id as row_key,
        'status ' || status || ', pre-flight ' || pre_flight_status
        || case when is_approved then ', approved' else ', not approved' end
        || ', decision ' || coalesce(governance_decision_id, 'null') as found
    from begun
    where
        risk_level in ('high', 'critical')
        and (not is_approved or coalesce(trim(governance_decision_id), '') = '')
)

select * from final
{% endcall %}
