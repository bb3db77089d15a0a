{{ config(severity='warn') }}

{% set source_trust_history = stored_text(
    operational('ingress', 'source_trust_history'),
    ['id', 'source_id', 'old_reputation', 'new_reputation']
) %}

-- Every change of a reputation is written down, so each one starts where the last one of its source
-- ended.
{% call when_present([source_trust_history]) %}
with

source_trust_history as (
    {{ source_trust_history }}
),

changes as (
    select
        id,
        old_reputation as stored_reputation,
        {{ read_real('old_reputation') }} as old_reputation,
        lag({{ read_real('new_reputation') }})
            over (partition by source_id order by {{ read_integer('id') }}) as previous_reputation,
        lag(new_reputation)
            over (partition by source_id order by {{ read_integer('id') }}) as previous_stored
    from source_trust_history
),

final as (
    select
        'a change of reputation starts from the one before it' as rule,
        id as row_key,
        'from ' || stored_reputation || ' after ' || previous_stored as found
    from changes
    where abs(old_reputation - previous_reputation) > 0.000001
)

select * from final
{% endcall %}
