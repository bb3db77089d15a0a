{#- Seconds from one timestamp to another, with microseconds; NULL where either is. -#}
{% macro seconds_between(first, last) %}{{ return(adapter.dispatch('seconds_between', 'grace')(first, last)) }}{% endmacro %}

{% macro default__seconds_between(first, last) %}
    {{ exceptions.raise_compiler_error('seconds_between has no body for ' ~ target.type ~ ': timestamps to seconds') }}
{% endmacro %}

{% macro duckdb__seconds_between(first, last) %}
    {{ return('((epoch_us(' ~ last ~ ') - epoch_us(' ~ first ~ ')) / 1000000.0)') }}
{% endmacro %}

{% macro sqlite__seconds_between(first, last) %}
    {{ return('((epoch_us(' ~ last ~ ') - epoch_us(' ~ first ~ ')) / 1000000.0)') }}
{% endmacro %}

{% macro postgres__seconds_between(first, last) %}
    {{ return('cast(extract(epoch from (' ~ last ~ ' - ' ~ first ~ ')) as double precision)') }}
{% endmacro %}
