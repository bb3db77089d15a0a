{#-
    Grain: one session of the parliament that has a ballot with a vote. Grace decides by weight; here ballots count alike,
    because agreement is about how many thought the same and not about who prevailed. The first place needs no half
    of the ballots, but where it is shared there is no majority to agree with.
-#}
with votes as (
    select * from {{ ref('stg_governance__governance_votes') }}
),

counted as (
    select
        session_id,
        vote,
        count(*) as ballots
    from votes
    where session_id is not null and vote is not null
    group by session_id, vote
),

placed as (
    select
        *,
        rank() over (partition by session_id order by ballots desc) as place
    from counted
),

final as (
    select
        session_id,
        case when count(*) = 1 then min(vote) end as majority_vote
    from placed
    where place = 1
    group by session_id
)

select * from final
