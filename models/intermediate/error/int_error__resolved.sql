{#-
    Grain: one error captured, with its end as its own records tell it. The first ending at or after an error comes from a window
    over errors and endings of one resource: reading backwards in time, the smallest ending so far is the next one, and
    what happens in the same moment is seen by both.
-#}
with events as (
    select * from {{ ref('int_error__events') }}
),

entries as (
    select * from {{ ref('stg_error__immutable_log') }}
),

insights as (
    select * from {{ ref('stg_error__agentic_insights') }}
),

endings as (
    select
        'immutable_log' as source,
        resource,
        created_at as ended_at,
        action = 'error.resolved' as is_resolution,
        stated_auto_resolved,
        stated_playbook,
        row_number() over (
            partition by resource, action, created_at
            order by {{ number_order('entry_id') }}
        ) as place
    from entries
    where action in ('error.resolved', 'error.escalated') and resource is not null and created_at is not null

    union all

    select
        'agentic_insights' as source,
        run_id as resource,
        created_at as ended_at,
        {{ truth(true) }} as is_resolution,
        null as stated_auto_resolved,
        null as stated_playbook,
        row_number() over (
            partition by run_id, created_at
            order by {{ number_order('insight_id') }}
        ) as place
    from insights
    where phase = 'completion' and outcome = 'success' and run_id is not null and created_at is not null
),

-- Said twice in one moment, an ending counts once: by the entry that was written first.
first_endings as (
    select * from endings
    where place = 1
),

consents as (
    select distinct
        'agentic_insights' as source,
        run_id as resource
    from insights
    where run_id is not null and (approval_required or approved_by is not null)
),

moments as (
    select
        source,
        resource,
        created_at as moment,
        error_id,
        {{ null_timestamp() }} as resolution_at,
        {{ null_timestamp() }} as escalation_at
    from events
    where resource is not null and created_at is not null

    union all

    select
        source,
        resource,
        ended_at as moment,
        null as error_id,
        case when is_resolution then ended_at end as resolution_at,
        case when not is_resolution then ended_at end as escalation_at
    from first_endings
),

followed as (
    select
        error_id,
        min(resolution_at) over backwards as next_resolution_at,
        min(escalation_at) over backwards as next_escalation_at
    from moments
    window backwards as (
        partition by source, resource
        order by moment desc
        range between unbounded preceding and current row
    )
),

final as (
    select
        events.error_id,
        coalesce(events.stated_playbook, resolutions.stated_playbook, escalations.stated_playbook) as playbook,
        events.is_settled or resolutions.ended_at is not null as is_resolved,
        events.was_settled_by_hand
        or escalations.ended_at is not null
        or consents.resource is not null
        or not coalesce(resolutions.stated_auto_resolved, {{ truth(true) }}) as needed_human,
        case when events.is_settled then events.settled_at else resolutions.ended_at end as resolved_at
    from events
    left join followed on followed.error_id = events.error_id
    left join first_endings as resolutions
        on
            resolutions.source = events.source
            and resolutions.resource = events.resource
            and resolutions.ended_at = followed.next_resolution_at
            and resolutions.is_resolution
    left join first_endings as escalations
        on
            escalations.source = events.source
            and escalations.resource = events.resource
            and escalations.ended_at = followed.next_escalation_at
            and not escalations.is_resolution
    left join consents on consents.source = events.source and consents.resource = events.resource
)

select * from final
