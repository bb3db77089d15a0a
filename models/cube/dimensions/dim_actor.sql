{#- Grain: one actor, under however many spellings. -#}
with actors as (
    select distinct
        actor_key,
        actor_id,
        actor_type,
        actor_name,
        is_trusted
    from {{ ref('int_actor__named') }}
),

final as (
    select
        actor_key,
        actor_id,
        actor_type,
        actor_name,
        is_trusted
    from actors

    union all

    select
        {{ unknown_key() }} as actor_key,
        'unknown' as actor_id,
        'unknown' as actor_type,
        'Unknown' as actor_name,
        {{ truth(false) }} as is_trusted
)

select * from final
