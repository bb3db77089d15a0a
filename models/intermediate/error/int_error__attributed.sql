{#-
    Grain: one component and one moment at which it had an error, with what was done for it next: the first success of a healing
    action or playbook run, and the first playbook that was asked for, both within the hours of var error_attribution_hours.
    As in int_error__resolved a window that reads backwards in time finds them, so that no error is held against every run.
-#}
{%- set window_seconds = var('error_attribution_hours') * 3600 %}

with events as (
    select * from {{ ref('int_error__events') }}
),

healing as (
    select * from {{ ref('stg_execution__healing_actions') }}
),

runs as (
    select * from {{ ref('stg_execution__playbook_runs') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

errors as (
    select distinct
        component_name,
        created_at
    from events
    where component_name is not null and created_at is not null
),

remedies as (
    select
        component_name,
        created_at as succeeded_at,
        0 as asked_human
    from healing
    where lower(result) in ('success', 'succeeded') and component_name is not null and created_at is not null

    union all

    select
        runs.component_name,
        runs.ended_at as succeeded_at,
        case when runs.approval_id is not null or actors.actor_type = 'human' then 1 else 0 end as asked_human
    from runs
    left join actors on actors.spelling = runs.requested_by
    where runs.run_status = 'succeeded' and runs.component_name is not null and runs.ended_at is not null
),

-- Of several that succeed in one moment, one without a human is enough.
successes as (
    select
        component_name,
        succeeded_at,
        min(asked_human) as asked_human
    from remedies
    group by component_name, succeeded_at
),

ranked_starts as (
    select
        component_name,
        created_at,
        playbook_id,
        row_number() over (
            partition by component_name, created_at
            order by case when playbook_id is null then 1 else 0 end, {{ number_order('playbook_id') }}
        ) as place
    from runs
    where component_name is not null and created_at is not null
),

starts as (
    select * from ranked_starts
    where place = 1
),

moments as (
    select
        component_name,
        created_at as moment,
        {{ truth(true) }} as is_error,
        {{ null_timestamp() }} as succeeded_at,
        {{ null_timestamp() }} as started_at
    from errors

    union all

    select
        component_name,
        succeeded_at as moment,
        {{ truth(false) }} as is_error,
        succeeded_at,
        {{ null_timestamp() }} as started_at
    from successes

    union all

    select
        component_name,
        created_at as moment,
        {{ truth(false) }} as is_error,
        {{ null_timestamp() }} as succeeded_at,
        created_at as started_at
    from starts
),

followed as (
    select
        component_name,
        moment,
        is_error,
        min(succeeded_at) over backwards as next_success_at,
        min(started_at) over backwards as next_start_at
    from moments
    window backwards as (
        partition by component_name
        order by moment desc
        range between unbounded preceding and current row
    )
),

-- What came too late is dropped before the joins: within their conditions it would make them compare all with all.
in_time as (
    select
        component_name,
        moment,
        case
            when {{ seconds_between('moment', 'next_success_at') }} <= {{ window_seconds }} then next_success_at
        end as next_success_at,
        case
            when {{ seconds_between('moment', 'next_start_at') }} <= {{ window_seconds }} then next_start_at
        end as next_start_at
    from followed
    where is_error
),

final as (
    select
        in_time.component_name,
        in_time.moment as created_at,
        starts.playbook_id as playbook,
        coalesce(successes.asked_human, 0) = 1 as needed_human,
        successes.succeeded_at as resolved_at
    from in_time
    left join successes
        on
            successes.component_name = in_time.component_name
            and successes.succeeded_at = in_time.next_success_at
    left join starts
        on
            starts.component_name = in_time.component_name
            and starts.created_at = in_time.next_start_at
)

select * from final
