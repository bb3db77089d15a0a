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

{#-
    DuckDB takes NaN, Infinity and a trailing comma, which are no JSON; outside strings, which are cut out before the look.
    `or` asks the next question of those rows alone that are still open; `not (... and ...)` would ask everything of all rows.
-#}
{% macro duckdb__is_json(column) %}
    {% set bare = "regexp_replace(" ~ column ~ ", '\"(?:[^\"\\\\]|\\\\.)*\"', '\"\"', 'g')" %}
    {{ return('json_valid(' ~ column ~ ') and (not ' ~ duckdb_is_strange(column) ~ ' or not ' ~ duckdb_is_strange(bare) ~ ')') }}
{% endmacro %}

{#- Words are looked for in half the time of a pattern of them. -#}
{% macro duckdb_is_strange(text) %}
    {% set looks = ['regexp_matches(' ~ text ~ ", ',\\s*[}\\]]')"] %}
    {% for word in ('NaN', 'nan', 'Inf', 'inf') %}
        {% do looks.append('contains(' ~ text ~ ", '" ~ word ~ "')") %}
    {% endfor %}
    {{ return('(' ~ looks | join(' or ') ~ ')') }}
{% endmacro %}

{% macro sqlite__is_json(column) %}{{ return('(json_valid(' ~ column ~ ') and not has_half_characters(' ~ column ~ '))') }}{% endmacro %}

{% macro postgres__is_json(column) %}{{ return(function_name('is_json') ~ '(' ~ as_text(column) ~ ')') }}{% endmacro %}
