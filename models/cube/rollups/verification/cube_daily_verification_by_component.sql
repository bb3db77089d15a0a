{#- Grain: one day (UTC) and component; what has no readable time stands on the day of NULLs. -#}
with final as (
    {{ verification_rollup('daily', 'component') }}
)

select * from final
