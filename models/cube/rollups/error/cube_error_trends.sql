{#- Grain: one day (UTC), severity and capturing table; errors without a readable time stand on the day of NULLs. -#}
with events as (
    select * from {{ ref('fact_error_events') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        events.severity,
        events.source,

        count(*) as error_count,
        count(case when events.was_auto_resolved then 1 end) as auto_resolved_count,
        count(
            case when events.was_resolved and events.required_human_intervention then 1 end
        ) as human_resolved_count,
        count(case when not events.was_resolved then 1 end) as open_count,
        count(case when events.was_resolved then 1 end) as resolved_count,
        count(case when events.required_human_intervention then 1 end) as human_intervention_count,

        sum(events.resolution_time_seconds) as resolution_seconds_sum,
        count(events.resolution_time_seconds) as resolution_count,
        avg(events.resolution_time_seconds) as avg_resolution_seconds
    from events
    inner join minutes on minutes.time_key = events.time_key
    group by minutes.year, minutes.month, minutes.day, events.severity, events.source
)

select * from final
