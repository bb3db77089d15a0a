{#- Grain: one minute (UTC), for whole days from the first to the last that the landed tables tell of, and the unknown minute. -#}
{{ config(materialized='incremental', incremental_strategy='append') }}

with minutes as (
    select * from {{ ref('int_time__minutes') }}
),

parts as (
    {{ time_parts('minutes', 'moment') }}
),

members as (
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
),

final as (
    select members.*
    from members
    {% if is_incremental() %}
    left join {{ this }} as known on known.time_key = members.time_key
    where known.time_key is null
    {% endif %}
)

select * from final
