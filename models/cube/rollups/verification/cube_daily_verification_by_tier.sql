{#- Grain: one day (UTC), tier and name of the tier; what has no readable time stands on the day of NULLs. -#}
with final as (
    {{ verification_rollup('daily', 'tier') }}
)

select * from final
