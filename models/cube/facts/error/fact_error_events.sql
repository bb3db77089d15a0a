{#-
    Grain: one error captured. Natural id: error_id. What its own records tell of its end counts first; only an error that
    they leave open is taken to be resolved by the next remedy that succeeded on its component.
-#}
{{ config(unique_key='error_key') }}

with events as (
    select * from {{ ref('int_error__events') }}
),

resolved as (
    select * from {{ ref('int_error__resolved') }}
),

attributed as (
    select * from {{ ref('int_error__attributed') }}
),

actors as (
    select * from {{ ref('int_actor__named') }}
),

components as (
    select * from {{ ref('dim_component') }}
),

ended as (
    select
        events.*,
        coalesce(resolved.playbook, attributed.playbook) as playbook_triggered,
        resolved.is_resolved or attributed.resolved_at is not null as was_resolved,
        resolved.needed_human
        or (not resolved.is_resolved and coalesce(attributed.needed_human, {{ truth(false) }}))
            as required_human_intervention,
        case when resolved.is_resolved then resolved.resolved_at else attributed.resolved_at end as resolved_at
    from events
    inner join resolved on resolved.error_id = events.error_id
    left join attributed
        on attributed.component_name = events.component_name and attributed.created_at = events.created_at
),

final as (
    select
        {{ surrogate_key(['ended.error_id']) }} as error_key,
        {{ time_key('ended.created_at') }} as time_key,
        coalesce(components.component_key, {{ unknown_key() }}) as component_key,
        coalesce(actors.actor_key, {{ unknown_key() }}) as actor_key,

        ended.error_id,
        ended.error_type,
        ended.severity,
        ended.source,
        ended.component_name,
        ended.resource,
        ended.playbook_triggered,

        {{ seconds_between('ended.created_at', 'ended.resolved_at') }} as resolution_time_seconds,

        ended.was_resolved,
        ended.was_resolved and not ended.required_human_intervention as was_auto_resolved,
        ended.required_human_intervention,

        ended.created_at,
        ended.resolved_at
    from ended
    left join actors on actors.spelling = ended.actor
    left join components
        on
            components.component_name = ended.component_name
            and {{ in_force('components', 'ended.created_at') }}
)

select * from final
