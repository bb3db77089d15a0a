{#-
    Grain: one mission, as its last written row has it, with its type. The type derives from what started it: who the opener says
    did, else who asked for the snapshot that it began with, looked up in the seed by the whole text and then by the part
    before the colon. Where nobody is named, the kind of work that the opener stated counts; else the type is unknown.
-#}
with timelines as (
    select
        *,
        row_number() over (
            partition by mission_id
            order by
                {{ read_integer('timeline_id') }} is null,
                {{ read_integer('timeline_id') }} desc,
                {{ surrogate_key(['timeline_id']) }} desc
        ) as recency
    from {{ ref('stg_verification__mission_timelines') }}
    where mission_id is not null
),

snapshots as (
    select * from {{ ref('stg_verification__safe_hold_snapshots') }}
),

starters as (
    select * from {{ ref('mission_starters') }}
),

started as (
    select
        timelines.*,
        lower(
            coalesce(
                timelines.stated_starter,
                case when lower(snapshots.triggered_by) like 'mission:%' then null else snapshots.triggered_by end
            )
        ) as starter
    from timelines
    left join snapshots on snapshots.snapshot_id = timelines.initial_snapshot_id
    where timelines.recency = 1
),

final as (
    select
        started.mission_id,
        started.mission_name,
        coalesce(
            by_name.mission_type,
            by_prefix.mission_type,
            case when started.starter is null then started.stated_type end,
            'unknown'
        ) as mission_type,
        started.final_status,
        started.planned_actions,
        started.completed_actions,
        started.failed_actions,
        started.rolled_back_actions,
        started.progress_ratio,
        started.confidence_score,
        started.health_score,
        started.can_rollback,
        started.started_at,
        started.completed_at
    from started
    left join starters as by_name on by_name.starter = started.starter
    left join starters as by_prefix on by_prefix.starter = {{ text_before('started.starter', ':') }}
)

select * from final
