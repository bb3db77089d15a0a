{#-
    A stored text as a UTC timestamp, NULL where it can't be read or lies outside the accepted span. ISO 8601 with a
    blank or a T, an offset or none (none means UTC). An outlier would otherwise stretch dim_time over decades.
-#}
{% macro read_timestamp(column) %}
    {% set moment = parse_timestamp(column) %}
    {{ return('case when ' ~ is_in_span(moment) ~ ' then ' ~ moment ~ ' end') }}
{% endmacro %}

{#- Whether a parsed moment lies in the accepted span; NULL for NULL. -#}
{% macro is_in_span(moment) %}
    {% set first, last = accepted_span() %}
    {{ return('(' ~ moment ~ ') between ' ~ first ~ ' and ' ~ last) }}
{% endmacro %}

{#- The first and the last accepted moment, as literals: the last one is the run's own clock plus the allowed skew. -#}
{% macro accepted_span() %}
    {% set last = run_moment() + modules.datetime.timedelta(days=var('clock_skew_days')) %}
    {{ return((
        timestamp_literal(var('earliest_timestamp') ~ ' 00:00:00.000000'),
        timestamp_literal(last.strftime('%Y-%m-%d %H:%M:%S.%f'))
    )) }}
{% endmacro %}

{% macro parse_timestamp(column) %}{{ return(adapter.dispatch('parse_timestamp', 'grace')(column)) }}{% endmacro %}

{% macro default__parse_timestamp(column) %}
    {{ exceptions.raise_compiler_error('parse_timestamp has no body for ' ~ target.type ~ ': text to UTC timestamp, NULL if unreadable') }}
{% endmacro %}

{#-
    The patterns keep out what DuckDB reads besides: 'infinity', 'epoch', years BC, zone names, one-digit months, 24:00.
    The plain spelling comes first: it needs no zone, and nearly every row has it.
-#}
{% macro duckdb__parse_timestamp(column) %}
    {%- set text = 'cast(' ~ column ~ ' as varchar)' -%}
    {%- set clock = '([01]\\d|2[0-3]):\\d{2}' -%}
    {%- set plain = "'\\d{4}-\\d{2}-\\d{2}[ T]" ~ clock ~ ":\\d{2}(\\.\\d{1,9})?'" -%}
    {%- set iso = "'\\s*\\d{4}-\\d{2}-\\d{2}([ T]" ~ clock ~ "(:\\d{2}(\\.\\d{1,9})?)?)?( ?(Z|z|[+-]\\d{2}(:?\\d{2})?))?\\s*'" -%}
    {{ return(
        "case when regexp_full_match(" ~ text ~ ", " ~ plain ~ ") then try_cast(" ~ text ~ " as timestamp)"
        ~ " when regexp_full_match(" ~ text ~ ", " ~ iso ~ ") then timezone('UTC', try_cast(" ~ duckdb_spelling(text)
        ~ " as timestamptz)) end"
    ) }}
{% endmacro %}

{#- A time as DuckDB casts it: no blanks around it or before the zone, the zone in capitals, hours and seconds given. -#}
{% macro duckdb_spelling(text) %}
    {% set steps = [
        (' ([Z+-])', '\\1'),
        ('^(\\d{4}-\\d{2}-\\d{2})($|[Z+-].*)', '\\1 00:00:00\\2'),
        ('^(.{10}[ T]\\d{2}:\\d{2})($|[Z+-].*)', '\\1:00\\2')
    ] %}
    {% set spelled = namespace(sql="upper(trim(" ~ text ~ ", e' \\t\\r\\n\\f\\v'))") %}
    {% for pattern, replacement in steps %}
        {% set spelled.sql = 'regexp_replace(' ~ spelled.sql ~ ", '" ~ pattern ~ "', '" ~ replacement ~ "')" %}
    {% endfor %}
    {{ return(spelled.sql) }}
{% endmacro %}

{% macro sqlite__parse_timestamp(column) %}{{ return('utc_timestamp(' ~ column ~ ')') }}{% endmacro %}

{% macro postgres__parse_timestamp(column) %}
    {{ return(function_name('utc_timestamp') ~ '(' ~ as_text(column) ~ ')') }}
{% endmacro %}

{% macro timestamp_literal(text) %}{{ return(adapter.dispatch('timestamp_literal', 'grace')(text)) }}{% endmacro %}

{% macro default__timestamp_literal(text) %}{{ return("timestamp '" ~ text ~ "'") }}{% endmacro %}

{% macro sqlite__timestamp_literal(text) %}{{ return("'" ~ text ~ "'") }}{% endmacro %}

{% macro null_timestamp() %}{{ return(adapter.dispatch('null_timestamp', 'grace')()) }}{% endmacro %}

{% macro default__null_timestamp() %}{{ return('cast(null as timestamp)') }}{% endmacro %}

{% macro sqlite__null_timestamp() %}{{ return('null') }}{% endmacro %}
