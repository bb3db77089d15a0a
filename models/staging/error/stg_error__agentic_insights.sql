with source as (
    select *
    from {{ ref('land_agentic_insights') }}
    where {{ is_landed() }}
),

final as (
    select
        id as insight_id,
        nullif({{ trimmed('run_id') }}, '') as run_id,
        nullif({{ trimmed('phase') }}, '') as phase,
        nullif({{ trimmed('signal_type') }}, '') as signal_type,
        nullif({{ trimmed('signal_summary') }}, '') as signal_summary,
        nullif({{ trimmed('plan_type') }}, '') as plan_type,
        nullif({{ trimmed('chosen_option') }}, '') as chosen_option,
        {{ person('approved_by') }} as approved_by,
        nullif({{ trimmed('outcome') }}, '') as outcome,
        {{ read_real('risk_score') }} as risk_score,
        {{ read_real('confidence') }} as confidence,
        {{ read_boolean('approval_required') }} as approval_required,
        {{ read_boolean('verified') }} as is_verified,
        {{ read_timestamp('timestamp') }} as created_at,
        {{ read_timestamp('approved_at') }} as approved_at,
        {{ read_timestamp('executed_at') }} as executed_at
    from source
)

select * from final
