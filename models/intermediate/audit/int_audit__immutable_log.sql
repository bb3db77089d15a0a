{#- Grain: one entry of the immutable log that is there now. What a run did not land anew is not hashed anew. -#}
{{ config(materialized='incremental', incremental_strategy='by_landing', unique_key='_landing_id') }}

with final as (
    {{ sealed_entries(
        audit_chain('immutable_log'),
        landed(ref('land_immutable_log'), all_of_a_key=true),
        '_landing_id',
        kept=['_landing_id', '_changed_at']
    ) }}
)

select * from final
