{{ config(severity='warn') }}

{% set models = stored_text(
    operational('mldl', 'models'), ['id', 'model_id', 'version', 'stage', 'governance_approved']
) %}
{% set model_approvals = stored_text(
    operational('mldl', 'model_approvals'), ['model_id', 'version', 'decision']
) %}

-- The registry keeps the present stage only, so a leap from development to production can't be seen
-- in it. What can: the way into production sets the flag, and a flag that is set has a record
-- behind it.
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

flagged as (
    select
        models.id,
        models.model_id,
        models.version,
        models.stage,
        approved.model_id is not null as has_record,
        coalesce({{ read_boolean('models.governance_approved') }}, {{ truth(false) }}) as has_flag
    from models
    left join approved
        on models.model_id = approved.model_id and models.version = approved.version
),

final as (
    select
        'a model marked as approved needs an approval of its version' as rule,
        id as row_key,
        'no approval of ' || model_id || ' ' || version as found
    from flagged
    where has_flag and not has_record
    union all
    select
        'a production model is marked as approved' as rule,
        id as row_key,
        model_id || ' is in production and not marked' as found
    from flagged
    where stage = 'production' and not has_flag
)

select * from final
{% endcall %}
