{{ config(severity='warn') }}

{% set intel_canary_deployments = stored_text(
    operational('intelligence', 'intel_canary_deployments'), ['deployment_id', 'steps']
) %}
{% set shares = canary_shares() %}

-- Writers that keep shares as reals mean the same list.
{% call when_present([intel_canary_deployments]) %}
with

intel_canary_deployments as (
    {{ intel_canary_deployments }}
),

final as (
    select
        'the steps of a canary are {{ shares | join(", ") }}' as rule,
        deployment_id as row_key,
        coalesce(steps, 'null') as found
    from intel_canary_deployments
    where
        coalesce({{ json_minified('steps') }}, '')
        not in ('[{{ shares | join(",") }}]', '[{{ shares | join(".0,") }}.0]')
)

select * from final
{% endcall %}
