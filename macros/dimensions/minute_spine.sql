{#- Every minute from the start of the first moment's day to the end of the last one's, as `moment`; none for NULLs. -#}
{% macro minute_spine(first, last) %}{{ return(adapter.dispatch('minute_spine', 'grace')(first, last)) }}{% endmacro %}

{% macro default__minute_spine(first, last) %}
    {{ exceptions.raise_compiler_error('minute_spine has no body for ' ~ target.type ~ ': a row a minute, as moment') }}
{% endmacro %}

{% macro duckdb__minute_spine(first, last) %}
    select unnest(range(
        date_trunc('day', {{ first }}), date_trunc('day', {{ last }}) + interval 1 day, interval 1 minute
    )) as moment
{% endmacro %}

{#- The text is built from numbers: adding minutes to a date in SQLite goes through floating-point days. -#}
{% macro sqlite__minute_spine(first, last) %}
    with recursive days as (
        select date({{ first }}) as day_start
        where {{ first }} is not null

        union all

        select date(day_start, '+1 day')
        from days
        where day_start < date({{ last }})
    ),

    numbers as (
        select 0 as number

        union all

        select number + 1
        from numbers
        where number < 1439
    )

    select printf('%s %02d:%02d:00.000000', days.day_start, numbers.number / 60, numbers.number % 60) as moment
    from days
    cross join numbers
{% endmacro %}

{% macro postgres__minute_spine(first, last) %}
    select moment
    from generate_series(
        date_trunc('day', {{ first }}), date_trunc('day', {{ last }}) + interval '1439 minutes', interval '1 minute'
    ) as moment
{% endmacro %}

{#- The calendar parts of a moment: week, English day name, Monday as ISO weekday 1. -#}
{% macro time_parts(relation, moment) %}{{ return(adapter.dispatch('time_parts', 'grace')(relation, moment)) }}{% endmacro %}

{% macro default__time_parts(relation, moment) %}
    {{ exceptions.raise_compiler_error('time_parts has no body for ' ~ target.type ~ ': minute to year, week, weekday') }}
{% endmacro %}

{% macro duckdb__time_parts(relation, moment) %}
    select
        {{ moment }},
        minute({{ moment }}) as minute,
        hour({{ moment }}) as hour,
        day({{ moment }}) as day,
        week({{ moment }} + interval {{ days_before_monday() }} day) as week,
        month({{ moment }}) as month,
        quarter({{ moment }}) as quarter,
        year({{ moment }}) as year,
        dayname({{ moment }}) as day_of_week,
        isodow({{ moment }}) as iso_weekday
    from {{ relation }}
{% endmacro %}

{% macro sqlite__time_parts(relation, moment) %}
    select
        {{ moment }},
        cast(strftime('%M', {{ moment }}) as integer) as minute,
        cast(strftime('%H', {{ moment }}) as integer) as hour,
        cast(strftime('%d', {{ moment }}) as integer) as day,
        (cast(strftime('%j', date({{ moment }}, '{{ days_before_monday() - 3 }} days', 'weekday 4')) as integer) - 1) / 7 + 1 as week,
        cast(strftime('%m', {{ moment }}) as integer) as month,
        (cast(strftime('%m', {{ moment }}) as integer) + 2) / 3 as quarter,
        cast(strftime('%Y', {{ moment }}) as integer) as year,
        case strftime('%w', {{ moment }})
            when '0' then 'Sunday' when '1' then 'Monday' when '2' then 'Tuesday' when '3' then 'Wednesday'
            when '4' then 'Thursday' when '5' then 'Friday' else 'Saturday'
        end as day_of_week,
        (cast(strftime('%w', {{ moment }}) as integer) + 6) % 7 + 1 as iso_weekday
    from {{ relation }}
{% endmacro %}

{% macro postgres__time_parts(relation, moment) %}
    select
        {{ moment }},
        cast(extract(minute from {{ moment }}) as bigint) as minute,
        cast(extract(hour from {{ moment }}) as bigint) as hour,
        cast(extract(day from {{ moment }}) as bigint) as day,
        cast(extract(week from {{ moment }} + interval '{{ days_before_monday() }} days') as bigint) as week,
        cast(extract(month from {{ moment }}) as bigint) as month,
        cast(extract(quarter from {{ moment }}) as bigint) as quarter,
        cast(extract(year from {{ moment }}) as bigint) as year,
        to_char({{ moment }}, 'FMDay') as day_of_week,
        cast(extract(isodow from {{ moment }}) as bigint) as iso_weekday
    from {{ relation }}
{% endmacro %}

{#- How many days before Monday a week starts: the week of a day is the ISO week of the day so many days later. -#}
{% macro days_before_monday() %}
    {% set days = {'monday': 0, 'sunday': 1, 'saturday': 2} %}
    {% set start = var('week_starts_on') %}
    {% if start not in days %}
        {{ exceptions.raise_compiler_error("the variable week_starts_on is '" ~ start ~ "': it takes " ~ days | join(', ')) }}
    {% endif %}
    {{ return(days[start]) }}
{% endmacro %}
