with source as (
    {{ landed(ref('land_mission_timelines')) }}
),

final as (
    select
        id as timeline_id,
        nullif({{ trimmed('mission_id') }}, '') as mission_id,
        nullif({{ trimmed('mission_name') }}, '') as mission_name,
        nullif({{ trimmed('status') }}, '') as final_status,
        nullif({{ trimmed('initial_snapshot_id') }}, '') as initial_snapshot_id,
        nullif({{ trimmed(json_text('mission_metadata', 'type')) }}, '') as stated_type,
        coalesce(
            nullif({{ trimmed(json_text('mission_metadata', 'triggered_by')) }}, ''),
            nullif({{ trimmed(json_text('mission_metadata', 'started_by')) }}, '')
        ) as stated_starter,
        {{ read_count('total_planned_actions') }} as planned_actions,
        {{ read_count('completed_actions') }} as completed_actions,
        {{ read_count('failed_actions') }} as failed_actions,
        {{ read_count('rolled_back_actions') }} as rolled_back_actions,
        {{ read_real('progress_ratio') }} as progress_ratio,
        {{ read_real('confidence_score') }} as confidence_score,
        {{ read_integer('current_health_score') }} as health_score,
        {{ read_boolean('can_rollback') }} as can_rollback,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_timestamp('completed_at') }} as completed_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
