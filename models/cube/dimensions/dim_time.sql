{#- Grain: one minute (UTC) of the days from the first to the last that landed tables tell of, and the unknown one. -#}
with minutes as (
    select * from {{ ref('int_time__minutes') }}
),

parts as (
    {{ time_parts('minutes', 'moment') }}
),

final as (
    select
        {{ time_key('moment') }} as time_key,
        moment as timestamp,
        minute,
        hour,
        day,
        week,
        month,
        quarter,
        year,
        day_of_week,
        iso_weekday <= 5
        and hour >= {{ var('business_hours')[0] }}
        and hour < {{ var('business_hours')[1] }} as is_business_hours,
        iso_weekday > 5 as is_weekend
    from parts

    union all

    select
        {{ unknown_key() }} as time_key,
        null as timestamp,
        null as minute,
        null as hour,
        null as day,
        null as week,
        null as month,
        null as quarter,
        null as year,
        'Unknown' as day_of_week,
        null as is_business_hours,
        null as is_weekend
)

select * from final
