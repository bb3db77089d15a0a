{#- A stored text as a boolean, NULL where it is none. SQLite drivers store 0 and 1, servers say true and t. -#}
{% macro read_boolean(column) %}
    {% set word = 'lower(trim(' ~ as_text(column) ~ '))' %}
    {{ return(
        "case when " ~ word ~ " in ('1', 'true', 't') then " ~ truth(true)
        ~ " when " ~ word ~ " in ('0', 'false', 'f') then " ~ truth(false) ~ " end"
    ) }}
{% endmacro %}

{% macro truth(value) %}{{ return(adapter.dispatch('truth', 'grace')(value)) }}{% endmacro %}

{% macro default__truth(value) %}{{ return('true' if value else 'false') }}{% endmacro %}

{% macro sqlite__truth(value) %}{{ return('1' if value else '0') }}{% endmacro %}
