{{ config(severity='warn') }}

{% set models = stored_text(
    operational('mldl', 'models'), ['id', 'model_id', 'version', 'stage']
) %}
{% set model_approvals = stored_text(
    operational('mldl', 'model_approvals'), ['model_id', 'version', 'decision']
) %}

-- The record is the contract: models.governance_approved alone names neither an approver nor what
-- was checked. The version counts too, for an approval does not carry over to the next release.
{% call when_present([models, model_approvals]) %}
with

models as (
    {{ models }}
),

model_approvals as (
    {{ model_approvals }}
),

approved as (
    select distinct
        model_id,
        version
    from model_approvals
    where decision = 'approved'
),

final as (
    select
        'a production model needs an approval of its version' as rule,
        models.id as row_key,
        'no approval of ' || models.model_id || ' ' || models.version as found
    from models
    left join approved
        on models.model_id = approved.model_id and models.version = approved.version
    where models.stage = 'production' and approved.model_id is null
)

select * from final
{% endcall %}
