{#- A stored text as JSON without white space, so that equal documents are equal texts; NULL where it is no JSON. -#}
{% macro json_minified(column) %}{{ return(adapter.dispatch('json_minified', 'grace')(column)) }}{% endmacro %}

{% macro default__json_minified(column) %}
    {{ exceptions.raise_compiler_error(
        'json_minified has no body for ' ~ target.type ~ ': JSON text without white space, NULL if it is no JSON'
    ) }}
{% endmacro %}

{% macro duckdb__json_minified(column) %}
    {{ return('cast(json(try_cast(' ~ column ~ ' as json)) as varchar)') }}
{% endmacro %}

{% macro sqlite__json_minified(column) %}
    {{ return('case when json_valid(' ~ column ~ ') then json(' ~ column ~ ') end') }}
{% endmacro %}

{% macro postgres__json_minified(column) %}{{ return(function_name('json_minified') ~ '(' ~ column ~ ')') }}{% endmacro %}
