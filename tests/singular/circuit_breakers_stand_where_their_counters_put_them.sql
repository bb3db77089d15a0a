{{ config(severity='warn') }}

{% set circuit_breakers = stored_text(
    operational('resilience', 'circuit_breakers'),
    ['id', 'state', 'failure_count', 'failure_threshold', 'last_failure_time']
) %}

-- The row keeps the present position only. What it proves: the way to open leads over a failure,
-- and half_open is reached from open alone; at the threshold a breaker is no longer closed. An open
-- one may stand below the threshold: a failed trial call opens it again with a fresh count.
{% call when_present([circuit_breakers]) %}
with

circuit_breakers as (
    {{ circuit_breakers }}
),

final as (
    select
        'a breaker is closed, open or half_open' as rule,
        id as row_key,
        coalesce(state, 'null') as found
    from circuit_breakers
    where coalesce(state, 'null') not in ('closed', 'open', 'half_open')
    union all
    select
        'a breaker that left closed has seen a failure' as rule,
        id as row_key,
        state || ', last failure ' || coalesce(last_failure_time, 'null') as found
    from circuit_breakers
    where state in ('open', 'half_open') and ({{ read_timestamp('last_failure_time') }}) is null
    union all
    select
        'a closed breaker counts fewer failures than its threshold' as rule,
        id as row_key,
        failure_count || ' of ' || failure_threshold || ' failures' as found
    from circuit_breakers
    where
        state = 'closed'
        and ({{ read_integer('failure_count') }}) >= ({{ read_integer('failure_threshold') }})
)

select * from final
{% endcall %}
