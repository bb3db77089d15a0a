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

{#-
    The join of a fact to the version in force at its own time. The end is not included: a fact on the boundary belongs
    to the newer version. Where the time is unknown the current version counts.
-#}
{% macro in_force(version, moment) %}
    {{ return(
        '((' ~ moment ~ ' >= ' ~ version ~ '.effective_from and (' ~ version ~ '.effective_to is null or ' ~ moment ~ ' < '
        ~ version ~ '.effective_to)) or (' ~ moment ~ ' is null and ' ~ version ~ '.is_current))'
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
