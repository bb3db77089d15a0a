{#- Grain: one minute (UTC) of the days from the first to the last moment. -#}
with span as (
    select * from {{ ref('int_time__span') }}
),

minutes as (
    {{ minute_spine('(select first_moment from span)', '(select last_moment from span)') }}
),

final as (
    select moment from minutes
)

select * from final
