{{ config(severity='warn') }}

{% set canary_progress = stored_text(
    operational('mldl', 'canary_progress'), ['id', 'deployment_id', 'stage', 'status']
) %}

-- Rollback is automatic, so a step that failed is the last one unless it was tried again and
-- passed.
{% call when_present([canary_progress]) %}
with

canary_progress as (
    {{ canary_progress }}
),

steps as (
    select
        id,
        deployment_id,
        {{ read_integer('stage') }} as stage,
        status
    from canary_progress
),

stages as (
    select
        deployment_id,
        stage,
        min(status) as a_status,
        max(case when status = 'completed' then 1 else 0 end) as is_completed
    from steps
    group by deployment_id, stage
),

final as (
    select
        'a canary goes on only from a completed step' as rule,
        steps.id as row_key,
        'the step below is ' || below.a_status as found
    from steps
    inner join stages as below
        on steps.deployment_id = below.deployment_id and steps.stage = below.stage + 1
    where below.is_completed = 0
)

select * from final
{% endcall %}
