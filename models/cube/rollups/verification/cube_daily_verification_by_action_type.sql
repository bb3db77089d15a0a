{#- Grain: one day (UTC) and kind of action; what has no readable time stands on the day of NULLs. -#}
with final as (
    {{ verification_rollup('daily', 'action_type') }}
)

select * from final
