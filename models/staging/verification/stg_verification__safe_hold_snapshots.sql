with source as (
    {{ landed(ref('land_safe_hold_snapshots')) }}
),

final as (
    select
        {{ surrogate_key(['id']) }} as snapshot_key,
        id as snapshot_id,
        nullif({{ trimmed('snapshot_type') }}, '') as snapshot_type,
        nullif({{ trimmed('status') }}, '') as snapshot_status,
        nullif({{ trimmed('triggered_by') }}, '') as triggered_by,
        nullif({{ trimmed('action_contract_id') }}, '') as contract_id,
        nullif({{ trimmed('playbook_run_id') }}, '') as playbook_run_id,
        {{ read_integer('system_health_score') }} as health_score,
        {{ read_boolean('is_golden') }} as is_golden,
        {{ read_boolean('is_validated') }} as is_validated,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('validated_at') }} as validated_at,
        {{ read_timestamp('restored_at') }} as restored_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
