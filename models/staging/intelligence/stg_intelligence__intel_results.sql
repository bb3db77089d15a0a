with source as (
    {{ landed(ref('land_intel_results')) }}
),

final as (
    select
        req_id as request_id,
        nullif({{ trimmed('plan_id') }}, '') as plan_id,
        {{ read_real(json_text('timing_json', 'total_ms')) }} as latency_ms,
        {{ read_real(json_text('outputs_json', 'confidence')) }} as confidence,
        coalesce(
            {{ read_real(json_text('uncertainties_json', 'calibration')) }},
            {{ read_real(json_text('metrics_json', 'calibration')) }}
        ) as calibration,
        {{ read_real(json_text('metrics_json', 'fairness_delta')) }} as fairness_delta,
        {{ read_boolean('success') }} as was_successful,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
