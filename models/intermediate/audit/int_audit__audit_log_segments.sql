{#- Grain: one entry of the audit log that has a place, with its segment. A table, for it is looked at often. -#}
{{ config(materialized='table') }}

with final as (
    {{ audit_segments(audit_chain('audit_logs'), ref('int_audit__audit_logs')) }}
)

select * from final
