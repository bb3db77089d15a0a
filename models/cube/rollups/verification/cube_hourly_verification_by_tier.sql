{#- Grain: one hour (UTC), tier and name of the tier; what has no readable time stands on the hour of NULLs. -#}
with final as (
    {{ verification_rollup('hourly', 'tier') }}
)

select * from final
