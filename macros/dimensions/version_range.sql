{#-
    From when a version of a slowly changing dimension holds: the first one reaches back to the beginning, so that a fact
    older than the first recorded version finds it.
-#}
{% macro effective_from(natural_id, valid_from) %}
    {{ return(
        'case when ' ~ valid_from ~ ' = min(' ~ valid_from ~ ') over (partition by ' ~ natural_id ~ ') then '
        ~ beginning() ~ ' else ' ~ valid_from ~ ' end'
    ) }}
{% endmacro %}

{#- The moment to which first versions reach back, before anything that a fact can tell of. -#}
{% macro beginning() %}{{ return(timestamp_literal('1900-01-01 00:00:00.000000')) }}{% endmacro %}

{#- After anything that a fact can tell of: up to when an open version holds, where a moment has to be named. -#}
{% macro ending() %}{{ return(timestamp_literal('9999-12-31 23:59:59.999999')) }}{% endmacro %}

{#-
    The join of a fact to the version in force at its own time. The end is not included: a fact on the boundary belongs
    to the newer version. Where the time is unknown the current version counts. Three comparisons with one table on each
    side: under an `or` DuckDB would hold every fact against every version.
-#}
{% macro in_force(version, moment) %}
    {{ return(
        '(coalesce(' ~ moment ~ ', ' ~ ending() ~ ') >= ' ~ version ~ '.effective_from and coalesce(' ~ moment ~ ', '
        ~ beginning() ~ ') < coalesce(' ~ version ~ '.effective_to, ' ~ ending() ~ ') and case when ' ~ moment
        ~ ' is null then 1 else 0 end <= case when ' ~ version ~ '.is_current then 1 else 0 end)'
    ) }}
{% endmacro %}

{#- A timestamp as text with microseconds, the same on every engine: the input of version keys. -#}
{% macro timestamp_text(moment) %}{{ return(adapter.dispatch('timestamp_text', 'grace')(moment)) }}{% endmacro %}

{% macro default__timestamp_text(moment) %}
    {{ exceptions.raise_compiler_error('timestamp_text has no body for ' ~ target.type ~ ': YYYY-MM-DD HH:MM:SS.ffffff') }}
{% endmacro %}

{% macro duckdb__timestamp_text(moment) %}{{ return("strftime(" ~ moment ~ ", '%Y-%m-%d %H:%M:%S.%f')") }}{% endmacro %}

{% macro sqlite__timestamp_text(moment) %}{{ return('utc_timestamp(' ~ moment ~ ')') }}{% endmacro %}

{% macro postgres__timestamp_text(moment) %}{{ return("to_char(" ~ moment ~ ", 'YYYY-MM-DD HH24:MI:SS.US')") }}{% endmacro %}
