with source as (
    {{ landed(ref('land_agentic_insights')) }}
),

final as (
    select
        id as insight_id,
        nullif({{ trimmed('run_id') }}, '') as run_id,
        nullif({{ trimmed('phase') }}, '') as phase,
        nullif({{ trimmed('signal_type') }}, '') as signal_type,
        nullif({{ trimmed('signal_summary') }}, '') as signal_summary,
        {{ person('approved_by') }} as approved_by,
        nullif({{ trimmed('outcome') }}, '') as outcome,
        {{ read_boolean('approval_required') }} as approval_required,
        {{ read_timestamp('timestamp') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
