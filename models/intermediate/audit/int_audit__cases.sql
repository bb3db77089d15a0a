{#- Grain: one entry of a chain at which there is something to tell. A table, so that it is known how few there are. -#}
{{ config(materialized='table') }}

{%- set log, journal = audit_chain('immutable_log'), audit_chain('audit_logs') %}

with immutable_log as (
    {{ audit_cases(log, audit_placed(log, ref('int_audit__immutable_log'), none)) }}
),

audit_logs as (
    {{ audit_cases(journal, ref('int_audit__audit_log_segments')) }}
),

final as (
    select * from immutable_log
    union all
    select * from audit_logs
)

select * from final
