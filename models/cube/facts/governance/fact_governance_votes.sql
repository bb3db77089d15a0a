{#- Grain: one ballot cast by one member in one session. Natural id: vote_id. -#}
{{ config(unique_key='vote_key') }}

with votes as (
    select * from {{ ref('stg_governance__governance_votes') }}
),

final as (
    select
        {{ surrogate_key(['vote_id']) }} as vote_key,
        {{ time_key('created_at') }} as time_key,

        vote_id,
        session_id,
        member_id,
        vote,
        verification_status,

        vote_weight,
        confidence,

        is_automated,
        is_signed,

        created_at
    from votes
)

select * from final
