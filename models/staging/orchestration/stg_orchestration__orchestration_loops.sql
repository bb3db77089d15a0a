with source as (
    {{ landed(ref('land_orchestration_loops')) }}
),

final as (
    select
        loop_id,
        nullif({{ trimmed('name') }}, '') as loop_name,
        {{ read_count('run_count') }} as run_count,
        {{ read_count('failure_count') }} as failure_count,
        {{ read_real('average_duration') }} as average_seconds,
        {{ read_timestamp('updated_at') }} as updated_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
