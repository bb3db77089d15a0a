{{ config(severity='warn') }}

{% set intel_results = stored_text(
    operational('intelligence', 'intel_results'), ['req_id', 'uncertainties_json', 'success']
) %}

-- The policy gate compares the uncertainties with its limits; an empty document lets everything
-- through.
{% call when_present([intel_results]) %}
with

intel_results as (
    {{ intel_results }}
),

final as (
    select
        'a successful result carries uncertainties' as rule,
        req_id as row_key,
        coalesce(uncertainties_json, 'null') as found
    from intel_results
    where
        {{ read_boolean('success') }}
        and coalesce({{ json_minified('uncertainties_json') }}, 'null')
        in ('null', '{}', '[]', '""')
)

select * from final
{% endcall %}
