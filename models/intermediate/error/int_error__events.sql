{#-
    Grain: one error captured, with the type and severity that its rule gives. Rules are tried on each distinct text once, not on
    each record. A table, because five models read it.
-#}
{{ config(materialized='table') }}

with entries as (
    select * from {{ ref('stg_error__immutable_log') }}
),

alerts as (
    select * from {{ ref('stg_error__security_events') }}
),

insights as (
    select * from {{ ref('stg_error__agentic_insights') }}
),

rules as (
    select * from {{ ref('stg_reference__error_rules') }}
),

spellings as (
    select * from {{ ref('severity_spellings') }}
),

records as (
    select
        'immutable_log:' || entry_id as error_id,
        'immutable_log' as source,
        action as kind,
        coalesce(lower(action), '') as kind_word,
        coalesce(lower(result), '') as result_word,
        stated_type,
        stated_severity,
        -- A person or an agent writes `user:alice`; a part of Grace that reports writes its bare name.
        coalesce(stated_source, case when actor not like '%:%' then actor end) as component_name,
        actor,
        resource,
        stated_playbook,
        {{ truth(false) }} as is_settled,
        {{ truth(false) }} as was_settled_by_hand,
        created_at,
        {{ null_timestamp() }} as settled_at
    from entries

    union all

    select
        'security_events:' || event_id as error_id,
        'security_events' as source,
        action as kind,
        coalesce(lower(action), '') as kind_word,
        '' as result_word,
        null as stated_type,
        severity as stated_severity,
        'hunter' as component_name,
        actor,
        resource,
        null as stated_playbook,
        coalesce(event_status = 'resolved', {{ truth(false) }}) as is_settled,
        coalesce(event_status = 'resolved', {{ truth(false) }}) and resolution_note is not null as was_settled_by_hand,
        created_at,
        case when event_status = 'resolved' then resolved_at end as settled_at
    from alerts

    union all

    select
        'agentic_insights:' || insight_id as error_id,
        'agentic_insights' as source,
        signal_type as kind,
        lower(signal_type) as kind_word,
        '' as result_word,
        null as stated_type,
        null as stated_severity,
        nullif({{ trimmed(text_before('signal_summary', ' reported ')) }}, '') as component_name,
        'cognition' as actor,
        run_id as resource,
        null as stated_playbook,
        {{ truth(false) }} as is_settled,
        {{ truth(false) }} as was_settled_by_hand,
        created_at,
        {{ null_timestamp() }} as settled_at
    from insights
    where phase = 'sensing' and signal_type is not null
),

texts as (
    select distinct
        source,
        kind_word,
        result_word
    from records
),

tested as (
    select
        texts.*,
        rules.pattern,
        rules.priority,
        case when rules.field = 'result' then texts.result_word else texts.kind_word end as word
    from texts
    inner join rules on rules.source = texts.source
),

decided as (
    select
        source,
        kind_word,
        result_word,
        min(priority) as priority
    from tested
    where pattern = '%' or (word <> '' and word like pattern)
    group by source, kind_word, result_word
),

final as (
    select
        records.error_id,
        records.source,
        coalesce(rules.error_type, records.stated_type, records.kind, 'unknown') as error_type,
        case
            when records.stated_severity is null then coalesce(rules.severity, 'unknown')
            else coalesce(spellings.severity, 'unknown')
        end as severity,
        records.component_name,
        records.actor,
        records.resource,
        records.stated_playbook,
        records.is_settled,
        records.was_settled_by_hand,
        records.created_at,
        records.settled_at
    from records
    inner join decided
        on
            decided.source = records.source
            and decided.kind_word = records.kind_word
            and decided.result_word = records.result_word
    inner join rules on rules.source = decided.source and rules.priority = decided.priority
    left join spellings on spellings.spelling = lower(records.stated_severity)
    where rules.is_error
)

select * from final
