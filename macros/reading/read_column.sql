{#- A stored column by its logical type. Text that holds a time is read as the text it is. -#}
{% macro read_column(column, logical) %}
    {% if logical == 'timestamp' %}{{ return(read_timestamp(column)) }}
    {% elif logical == 'real' %}{{ return(read_real(column)) }}
    {% elif logical == 'integer' %}{{ return(read_integer(column)) }}
    {% elif logical == 'boolean' %}{{ return(read_boolean(column)) }}
    {% elif logical == 'json' %}{{ return('case when ' ~ is_json(column) ~ ' then ' ~ column ~ ' end') }}
    {% elif logical in ('text', 'blob') %}{{ return(column) }}
    {% endif %}
    {{ exceptions.raise_compiler_error(
        "read_column: unknown logical type '" ~ logical ~ "' (text, integer, real, boolean, timestamp, json, blob)"
    ) }}
{% endmacro %}

{% macro is_json(column) %}{{ return(adapter.dispatch('is_json', 'grace')(column)) }}{% endmacro %}

{% macro default__is_json(column) %}
    {{ exceptions.raise_compiler_error('is_json has no body for ' ~ target.type ~ ': whether a text is JSON') }}
{% endmacro %}

{#- DuckDB takes NaN, Infinity and a trailing comma, which are no JSON; outside strings, which are cut out before the look. -#}
{% macro duckdb__is_json(column) %}
    {% set strange = "'NaN|nan|Inf|inf|,\\s*[}\\]]'" %}
    {% set bare = "regexp_replace(" ~ column ~ ", '\"(?:[^\"\\\\]|\\\\.)*\"', '\"\"', 'g')" %}
    {{ return(
        'json_valid(' ~ column ~ ') and not (regexp_matches(' ~ column ~ ', ' ~ strange ~ ') and regexp_matches(' ~ bare ~ ', '
        ~ strange ~ '))'
    ) }}
{% endmacro %}

{% macro sqlite__is_json(column) %}{{ return('(json_valid(' ~ column ~ ') and not has_half_characters(' ~ column ~ '))') }}{% endmacro %}

{% macro postgres__is_json(column) %}{{ return(function_name('is_json') ~ '(' ~ as_text(column) ~ ')') }}{% endmacro %}
