{{ config(severity='warn') }}

{% set intel_canary_deployments = stored_text(
    operational('intelligence', 'intel_canary_deployments'),
    ['deployment_id', 'current_step', 'status']
) %}
{% set last_step = canary_shares() | length - 1 %}

-- The index counts from 0. One past the end says that every step was passed, which promotes the
-- version; and a version that was promoted has come to the last step.
{% call when_present([intel_canary_deployments]) %}
with

intel_canary_deployments as (
    {{ intel_canary_deployments }}
),

canaries as (
    select
        deployment_id,
        current_step as stored_step,
        coalesce({{ read_integer('current_step') }}, -1) as current_step,
        coalesce(status, 'active') as status
    from intel_canary_deployments
),

final as (
    select
        'a canary stands at one of its steps' as rule,
        deployment_id as row_key,
        'step ' || coalesce(stored_step, 'null') || ', ' || status as found
    from canaries
    where
        current_step not between 0 and {{ last_step + 1 }}
        or (current_step > {{ last_step }} and status <> 'promoted')
    union all
    select
        'a promoted canary has come to the last step' as rule,
        deployment_id as row_key,
        'step ' || stored_step || ', ' || status as found
    from canaries
    where current_step between 0 and {{ last_step - 1 }} and status = 'promoted'
)

select * from final
{% endcall %}
