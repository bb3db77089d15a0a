{#- Grain: one hour (UTC) and kind of action; what has no readable time stands on the hour of NULLs. -#}
with final as (
    {{ verification_rollup('hourly', 'action_type') }}
)

select * from final
