with source as (
    {{ landed(ref('land_immutable_log')) }}
),

final as (
    select
        id as entry_id,
        nullif({{ trimmed('actor') }}, '') as actor,
        nullif({{ trimmed('action') }}, '') as action,
        nullif({{ trimmed('resource') }}, '') as resource,
        nullif({{ trimmed('result') }}, '') as result,
        nullif({{ trimmed(json_text('payload', 'error_type')) }}, '') as stated_type,
        nullif({{ trimmed(json_text('payload', 'severity')) }}, '') as stated_severity,
        nullif({{ trimmed(json_text('payload', 'source')) }}, '') as stated_source,
        nullif({{ trimmed(json_text('payload', 'playbook')) }}, '') as stated_playbook,
        {{ read_boolean(json_text('payload', 'auto_resolved')) }} as stated_auto_resolved,
        {{ read_timestamp('timestamp') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
