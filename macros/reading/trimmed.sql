{#- A text without the spaces around it: spaces alone, since engines differ in what else they call blank. -#}
{% macro trimmed(column) %}{{ return(adapter.dispatch('trimmed', 'grace')(column)) }}{% endmacro %}

{% macro default__trimmed(column) %}
    {{ exceptions.raise_compiler_error('trimmed has no body for ' ~ target.type ~ ': a text without spaces around it') }}
{% endmacro %}

{% macro duckdb__trimmed(column) %}{{ return('trim(' ~ column ~ ", ' ')") }}{% endmacro %}

{% macro sqlite__trimmed(column) %}{{ return('trim(' ~ column ~ ')') }}{% endmacro %}

{% macro postgres__trimmed(column) %}{{ return('trim(' ~ column ~ ')') }}{% endmacro %}
