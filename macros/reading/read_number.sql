{#-
    A stored text as a number of at most 1e100, NULL where it is none: so that a sum over any number of rows, and of their
    squares, which PostgreSQL keeps for a mean, is still a number. A larger one stops the run there and is infinite elsewhere.
-#}
{% macro read_real(column) %}{{ return(adapter.dispatch('read_real', 'grace')(column)) }}{% endmacro %}

{% macro default__read_real(column) %}
    {{ exceptions.raise_compiler_error('read_real has no body for ' ~ target.type ~ ': text to a finite double, else NULL') }}
{% endmacro %}

{% macro duckdb__read_real(column) %}
    {% set text = 'cast(' ~ column ~ ' as varchar)' %}
    {% set number = 'try_cast(' ~ text ~ ' as double)' %}
    {{ return(
        "case when regexp_full_match(" ~ text ~ ", '\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?\\s*') and abs(" ~ number ~ ') <= 1e100 then '
        ~ number ~ ' end'
    ) }}
{% endmacro %}

{% macro sqlite__read_real(column) %}{{ return('try_real(' ~ column ~ ')') }}{% endmacro %}

{% macro postgres__read_real(column) %}{{ return(function_name('try_real') ~ '(' ~ as_text(column) ~ ')') }}{% endmacro %}

{#- A stored text as a whole number of at most 18 digits, NULL where it is none: '1.5' is not rounded. -#}
{% macro read_integer(column) %}{{ return(adapter.dispatch('read_integer', 'grace')(column)) }}{% endmacro %}

{% macro default__read_integer(column) %}
    {{ exceptions.raise_compiler_error('read_integer has no body for ' ~ target.type ~ ': text to a whole number, else NULL') }}
{% endmacro %}

{% macro duckdb__read_integer(column) %}
    {% set text = 'cast(' ~ column ~ ' as varchar)' %}
    {{ return("case when regexp_full_match(" ~ text ~ ", '\\s*[+-]?\\d{1,18}\\s*') then try_cast(" ~ text ~ " as bigint) end") }}
{% endmacro %}

{% macro sqlite__read_integer(column) %}{{ return('try_integer(' ~ column ~ ')') }}{% endmacro %}

{% macro postgres__read_integer(column) %}
    {% set text = as_text(column) %}
    {{ return("case when " ~ text ~ " ~ '^[ \\t\\r\\n\\f\\v]*[+-]?[0-9]{1,18}[ \\t\\r\\n\\f\\v]*$' then cast(" ~ text ~ " as bigint) end") }}
{% endmacro %}

{#-
    A stored text as a count that can be added up: a whole number of at most 15 digits. Ten of 18 digits are more than a bigint
    holds, and the sum would stop the run.
-#}
{% macro read_count(column) %}
    {% set count = '(' ~ read_integer(column) ~ ')' %}
    {{ return('case when abs(' ~ count ~ ') < 1000000000000000 then ' ~ count ~ ' end') }}
{% endmacro %}
