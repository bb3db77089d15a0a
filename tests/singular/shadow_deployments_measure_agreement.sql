{{ config(severity='warn') }}

{% set intel_shadow_deployments = stored_text(
    operational('intelligence', 'intel_shadow_deployments'),
    ['deployment_id', 'current_agreement', 'sample_count']
) %}

-- The first comparison already gives a fraction.
{% call when_present([intel_shadow_deployments]) %}
with

intel_shadow_deployments as (
    {{ intel_shadow_deployments }}
),

final as (
    select
        'a shadow deployment with samples has an agreement in 0..1' as rule,
        deployment_id as row_key,
        coalesce(current_agreement, 'null') || ' after ' || sample_count || ' samples' as found
    from intel_shadow_deployments
    where
        ({{ read_integer('sample_count') }}) > 0
        and coalesce({{ read_real('current_agreement') }}, -1) not between 0 and 1
)

select * from final
{% endcall %}
