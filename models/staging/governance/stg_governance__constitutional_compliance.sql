with source as (
    {{ landed(ref('land_constitutional_compliance')) }}
),

final as (
    select
        id as compliance_id,
        nullif({{ trimmed('action_id') }}, '') as action_id,
        nullif({{ trimmed('actor') }}, '') as actor,
        nullif({{ trimmed('action_type') }}, '') as action_type,
        nullif({{ trimmed('resource') }}, '') as resource,
        {{ json_length('principles_checked') }} as principles_checked,
        {{ json_length('principles_failed') }} as principles_failed,
        {{ json_length('violation_ids') }} as violations,
        {{ read_real('compliance_score') }} as compliance_score,
        {{ read_boolean('compliant') }} as is_compliant,
        {{ read_boolean('explanation_provided') }} as explanation_provided,
        {{ read_boolean('reasoning_logged') }} as reasoning_logged,
        {{ read_boolean('approval_obtained') }} as approval_obtained,
        {{ read_boolean('verification_signed') }} as verification_signed,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
