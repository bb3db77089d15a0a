{#- The key of a minute in dim_time, YYYYMMDDHHMM as a number: arithmetic, no join; the unknown minute for NULL. -#}
{% macro time_key(moment) %}
    {{ return('coalesce(' ~ adapter.dispatch('minute_number', 'grace')(moment) ~ ', ' ~ unknown_key() ~ ')') }}
{% endmacro %}

{% macro default__minute_number(moment) %}
    {{ exceptions.raise_compiler_error('minute_number has no body for ' ~ target.type ~ ': timestamp to YYYYMMDDHHMM') }}
{% endmacro %}

{% macro duckdb__minute_number(moment) %}
    {{ return(
        '(year(' ~ moment ~ ') * 100000000 + month(' ~ moment ~ ') * 1000000 + day(' ~ moment ~ ') * 10000 + hour('
        ~ moment ~ ') * 100 + minute(' ~ moment ~ '))'
    ) }}
{% endmacro %}

{% macro sqlite__minute_number(moment) %}
    {{ return("cast(strftime('%Y%m%d%H%M', " ~ moment ~ ") as integer)") }}
{% endmacro %}

{% macro postgres__minute_number(moment) %}
    {{ return("cast(to_char(" ~ moment ~ ", 'YYYYMMDDHH24MI') as bigint)") }}
{% endmacro %}
