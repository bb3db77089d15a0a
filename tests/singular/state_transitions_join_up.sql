{{ config(severity='warn') }}

{% set state_transitions = stored_text(
    operational('orchestration', 'state_transitions'), ['id', 'from_state', 'to_state']
) %}
{% set breaker_states = "('closed', 'open', 'half_open')" %}

-- One state machine writes the table, so a move that starts elsewhere than the last one ended says
-- that a move is missing. Moves of breakers are left out: each belongs to some component, which the
-- table does not name.
{% call when_present([state_transitions]) %}
with

state_transitions as (
    {{ state_transitions }}
),

moves as (
    select
        id,
        from_state,
        lag(to_state) over (order by {{ read_integer('id') }}) as previous_state
    from state_transitions
    where not (from_state in {{ breaker_states }} and to_state in {{ breaker_states }})
),

final as (
    select
        'a move starts from the state that the move before it entered' as rule,
        id as row_key,
        'from ' || from_state || ' after ' || previous_state as found
    from moves
    where from_state <> previous_state
)

select * from final
{% endcall %}
