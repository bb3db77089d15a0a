{{ config(severity='warn') }}

{% set canary_progress = stored_text(
    operational('mldl', 'canary_progress'),
    ['id', 'deployment_id', 'stage', 'traffic_percentage', 'started_at']
) %}
{% set shares = canary_shares() %}
{% set rungs = [] %}
{% for share in shares[:-1] %}
{% do rungs.append('select ' ~ share ~ ' as share, ' ~ shares[loop.index] ~ ' as next_share') %}
{% endfor %}

-- Writers count stages from 0 or from 1, so only the order counts. A stage may be tried again, at
-- the same share.
{% call when_present([canary_progress]) %}
with

canary_progress as (
    {{ canary_progress }}
),

steps as (
    select
        id,
        deployment_id,
        stage as stored_stage,
        traffic_percentage as stored_share,
        {{ read_integer('stage') }} as stage,
        coalesce({{ read_integer('traffic_percentage') }}, -1) as share,
        {{ read_timestamp('started_at') }} as started_at
    from canary_progress
),

stages as (
    select
        deployment_id,
        stage,
        max(share) as share,
        min(started_at) as first_started_at
    from steps
    group by deployment_id, stage
),

first_stages as (
    select
        deployment_id,
        min(stage) as first_stage
    from steps
    group by deployment_id
),

ladder as (
    {{ rungs | join(' union all ') }}
),

walked as (
    select
        steps.*,
        below.first_started_at as below_started_at,
        case when steps.stage = first_stages.first_stage then {{ shares[0] }} else ladder.next_share end as expected_share
    from steps
    inner join first_stages
        on steps.deployment_id = first_stages.deployment_id
    left join stages as below
        on steps.deployment_id = below.deployment_id and steps.stage = below.stage + 1
    left join ladder on below.share = ladder.share
),

final as (
    select
        'a canary step carries {{ shares | join(", ") }} percent' as rule,
        id as row_key,
        coalesce(stored_share, 'null') || ' percent' as found
    from walked
    where share not in ({{ shares | join(', ') }})
    union all
    select
        'a canary takes its steps in order and skips none' as rule,
        id as row_key,
        stored_share || ' percent at stage ' || coalesce(stored_stage, 'null')
        || ' of ' || deployment_id as found
    from walked
    where share in ({{ shares | join(', ') }}) and share <> coalesce(expected_share, -1)
    union all
    select
        'a canary step begins after the step below it' as rule,
        id as row_key,
        'stage ' || stored_stage || ' of ' || deployment_id || ' began first' as found
    from walked
    where started_at < below_started_at
)

select * from final
{% endcall %}
