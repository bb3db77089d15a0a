{#- Grain: one hour (UTC) and component; what has no readable time stands on the hour of NULLs. -#}
with final as (
    {{ verification_rollup('hourly', 'component') }}
)

select * from final
