with source as (
    {{ landed(ref('land_intel_policy_violations')) }}
),

final as (
    select
        violation_id,
        nullif({{ trimmed('req_id') }}, '') as request_id,
        nullif({{ trimmed('plan_id') }}, '') as plan_id,
        nullif({{ trimmed('violation_type') }}, '') as violation_type,
        nullif({{ trimmed('severity') }}, '') as severity,
        {{ read_real('required_value') }} as required_value,
        {{ read_real('actual_value') }} as actual_value,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
