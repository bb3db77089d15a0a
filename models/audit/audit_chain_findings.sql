{#- Grain: one thing that is wrong with an audit chain, at the entry where it shows first. -#}
{%- set log, journal = audit_chain('immutable_log'), audit_chain('audit_logs') %}
{%- set entries, journal_entries = ref('int_audit__immutable_log'), ref('int_audit__audit_logs') %}
{%- set segments, cases = ref('int_audit__audit_log_segments'), ref('int_audit__cases') %}

with immutable_log as (
    {{ audit_findings(log, entries, audit_placed(log, entries, none), cases) }}
),

audit_logs as (
    {{ audit_findings(journal, journal_entries, segments, cases) }}
),

every_chain as (
    select * from immutable_log
    union all
    select * from audit_logs
),

final as (
    select
        chain,
        segment,
        position,
        entry_id,
        kind,
        severity,
        expected,
        found
    from every_chain
)

select * from final
