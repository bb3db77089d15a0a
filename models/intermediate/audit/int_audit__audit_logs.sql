{#- Grain: one entry of the audit log that is there now. What a run did not land anew is not hashed anew. -#}
{{ config(materialized='incremental', incremental_strategy='by_landing', unique_key='_landing_id') }}

with final as (
    {{ sealed_entries(
        audit_chain('audit_logs'),
        landed(ref('land_audit_logs'), all_of_a_key=true),
        '_landing_id',
        kept=['_landing_id', '_changed_at']
    ) }}
)

select * from final
