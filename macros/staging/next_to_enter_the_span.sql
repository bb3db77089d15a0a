{#- A query for the moment at which the next time of a column, too far ahead now, lies in the accepted span. -#}
{% macro next_to_enter_the_span(landing, name) %}
    {% set moment = '(' ~ parse_timestamp(adapter.quote(name)) ~ ')' %}
    select min({{ days_before(moment, var('clock_skew_days')) }}) as moment
    from {{ landing }}
    where _has_finding and not _is_deleted and {{ moment }} > {{ accepted_span()[1] }}
{% endmacro %}

{#- A moment some days earlier. -#}
{% macro days_before(moment, days) %}{{ return(adapter.dispatch('days_before', 'grace')(moment, days)) }}{% endmacro %}

{% macro default__days_before(moment, days) %}
    {{ exceptions.raise_compiler_error('days_before has no body for ' ~ target.type ~ ': a timestamp less a number of days') }}
{% endmacro %}

{% macro duckdb__days_before(moment, days) %}{{ return('(' ~ moment ~ " - interval '" ~ days ~ " days')") }}{% endmacro %}

{% macro postgres__days_before(moment, days) %}{{ return('(' ~ moment ~ " - interval '" ~ days ~ " days')") }}{% endmacro %}

{#- SQLite's own dates end at seconds; what follows them is kept as it was written. -#}
{% macro sqlite__days_before(moment, days) %}
    {{ return("(datetime(" ~ moment ~ ", '-" ~ days ~ " days') || substr(" ~ moment ~ ', 20))') }}
{% endmacro %}
