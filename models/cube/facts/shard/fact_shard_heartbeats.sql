{#- Grain: one sign of life from one shard. Natural id: heartbeat_id. -#}
{{ config(unique_key='heartbeat_key') }}

with heartbeats as (
    select * from {{ ref('stg_shard__shard_heartbeats') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

final as (
    select
        {{ surrogate_key(['heartbeats.heartbeat_id']) }} as heartbeat_key,
        {{ time_key('heartbeats.created_at') }} as time_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        heartbeats.heartbeat_id,
        heartbeats.shard_id,
        heartbeats.host,
        heartbeats.task_id,
        heartbeats.shard_status,
        heartbeats.version,

        heartbeats.sequence,
        heartbeats.queue_depth,
        heartbeats.active_tasks,
        heartbeats.completed_tasks,
        heartbeats.failed_tasks,
        heartbeats.cpu_percent,
        heartbeats.memory_mb,
        heartbeats.latency_ms,

        coalesce(heartbeats.shard_status = 'healthy', {{ truth(false) }}) as is_healthy,

        heartbeats.created_at
    from heartbeats
    left join actors on actors.spelling = heartbeats.agent_id
)

select * from final
