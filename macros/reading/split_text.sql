{#- The part of a text before, or after, the first occurrence of a mark; NULL where the mark is missing. -#}
{% macro text_before(column, mark) %}
    {% set position = mark_position(column, mark) %}
    {{ return('case when ' ~ position ~ ' > 0 then substr(' ~ column ~ ', 1, ' ~ position ~ ' - 1) end') }}
{% endmacro %}

{% macro text_after(column, mark) %}
    {% set position = mark_position(column, mark) %}
    {{ return('case when ' ~ position ~ ' > 0 then substr(' ~ column ~ ', ' ~ position ~ ' + 1) end') }}
{% endmacro %}

{% macro mark_position(column, mark) %}{{ return(adapter.dispatch('mark_position', 'grace')(column, mark)) }}{% endmacro %}

{% macro default__mark_position(column, mark) %}
    {{ exceptions.raise_compiler_error('mark_position has no body for ' ~ target.type ~ ': where a mark first stands, 0 for nowhere') }}
{% endmacro %}

{% macro duckdb__mark_position(column, mark) %}{{ return('instr(' ~ column ~ ", '" ~ mark ~ "')") }}{% endmacro %}

{% macro sqlite__mark_position(column, mark) %}{{ return('instr(' ~ column ~ ", '" ~ mark ~ "')") }}{% endmacro %}

{% macro postgres__mark_position(column, mark) %}{{ return('strpos(' ~ column ~ ", '" ~ mark ~ "')") }}{% endmacro %}
