with source as (
    {{ landed(ref('land_action_contracts')) }}
),

final as (
    select
        {{ surrogate_key(['id']) }} as contract_key,
        id as contract_id,
        nullif({{ trimmed('action_type') }}, '') as action_type,
        nullif({{ trimmed('playbook_id') }}, '') as playbook_id,
        nullif({{ trimmed('run_id') }}, '') as playbook_run_id,
        nullif({{ trimmed('status') }}, '') as contract_status,
        nullif({{ trimmed('tier') }}, '') as tier_code,
        nullif({{ trimmed('triggered_by') }}, '') as triggered_by,
        {{ reported_mission('triggered_by') }} as mission_id,
        nullif({{ trimmed('safe_hold_snapshot_id') }}, '') as snapshot_id,
        coalesce(
            {{ json_text('verification_result', 'error') }},
            {{ json_text('actual_effect', 'error') }}
        ) as error_message,
        {{ read_real('confidence_score') }} as confidence_score,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('executed_at') }} as executed_at,
        {{ read_timestamp('verified_at') }} as verified_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
