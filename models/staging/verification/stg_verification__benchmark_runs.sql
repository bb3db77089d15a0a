with source as (
    {{ landed(ref('land_benchmark_runs')) }}
),

final as (
    select
        {{ surrogate_key(['id']) }} as benchmark_key,
        id as benchmark_id,
        run_id as benchmark_run_id,
        {{ benchmarked_contract('triggered_by') }} as contract_id,
        case
            when lower({{ trimmed('triggered_by') }}) not like 'contract:%'
                then nullif({{ trimmed('triggered_by') }}, '')
        end as asked_by,
        nullif({{ trimmed('benchmark_type') }}, '') as benchmark_type,
        nullif({{ trimmed('baseline_id') }}, '') as baseline_id,
        {{ json_largest_number('delta_from_baseline') }} as drift_score,
        {{ read_real('duration_seconds') }} as duration_seconds,
        {{ read_boolean('passed') }} as has_passed,
        {{ read_boolean('drift_detected') }} as drift_detected,
        {{ read_boolean('is_golden') }} as is_golden,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
