{#- Grain: one segment of an audit chain, with the verdict by the chain alone; an auditor holds anchors against it. -#}
{%- set log, journal = audit_chain('immutable_log'), audit_chain('audit_logs') %}
{%- set placed = audit_placed(log, ref('int_audit__immutable_log'), none) %}

with immutable_log as (
    {{ audit_status(log, placed, ref('audit_chain_findings')) }}
),

audit_logs as (
    {{ audit_status(journal, ref('int_audit__audit_log_segments'), ref('audit_chain_findings')) }}
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
        first_position,
        last_position,
        entries,
        head_hash,
        verdict,
        findings,
        first_bad_position
    from every_chain
)

select * from final
