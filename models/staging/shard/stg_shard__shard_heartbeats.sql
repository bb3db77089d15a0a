with source as (
    {{ landed(ref('land_shard_heartbeats')) }}
),

final as (
    select
        id as heartbeat_id,
        nullif({{ trimmed('shard_id') }}, '') as shard_id,
        nullif({{ trimmed('agent_id') }}, '') as agent_id,
        nullif({{ trimmed('host') }}, '') as host,
        nullif({{ trimmed('status') }}, '') as shard_status,
        nullif({{ trimmed('current_task_id') }}, '') as task_id,
        nullif({{ trimmed('version') }}, '') as version,
        {{ read_integer('sequence') }} as sequence,
        {{ read_integer('queue_depth') }} as queue_depth,
        {{ read_integer('active_tasks') }} as active_tasks,
        {{ read_integer('completed_tasks') }} as completed_tasks,
        {{ read_integer('failed_tasks') }} as failed_tasks,
        {{ read_real('cpu_percent') }} as cpu_percent,
        {{ read_real('memory_mb') }} as memory_mb,
        {{ read_real('latency_ms') }} as latency_ms,
        {{ read_timestamp('recorded_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
