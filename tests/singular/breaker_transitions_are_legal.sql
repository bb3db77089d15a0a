{{ config(severity='warn') }}

{% set state_transitions = stored_text(
    operational('orchestration', 'state_transitions'), ['id', 'from_state', 'to_state']
) %}
{% set breaker_states = "('closed', 'open', 'half_open')" %}

-- A breaker closes by way of half_open alone: nothing has tried the guarded component before.
{% call when_present([state_transitions]) %}
with

state_transitions as (
    {{ state_transitions }}
),

moves as (
    select
        id,
        from_state || ' to ' || to_state as move
    from state_transitions
    where from_state in {{ breaker_states }} and to_state in {{ breaker_states }}
),

final as (
    select
        'a breaker goes from closed to open, to half_open, and on to closed or open' as rule,
        id as row_key,
        move as found
    from moves
    where
        move not in (
            'closed to open', 'open to half_open', 'half_open to closed', 'half_open to open'
        )
)

select * from final
{% endcall %}
