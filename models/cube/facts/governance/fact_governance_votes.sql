{#- Grain: one ballot cast by one member in one session. Natural id: vote_id. -#}
{{ config(unique_key='vote_key') }}

with votes as (
    select * from {{ ref('stg_governance__governance_votes') }}
),

sessions as (
    select * from {{ ref('int_governance__tallied') }}
),

final as (
    select
        {{ surrogate_key(['votes.vote_id']) }} as vote_key,
        {{ time_key('votes.created_at') }} as time_key,

        votes.vote_id,
        votes.session_id,
        votes.member_id,
        votes.vote,
        votes.verification_status,

        votes.vote_weight,
        votes.confidence,

        votes.is_automated,
        votes.is_signed,
        votes.vote = sessions.majority_vote as agrees_with_majority,

        votes.created_at
    from votes
    left join sessions on sessions.session_id = votes.session_id
)

select * from final
