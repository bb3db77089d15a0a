{#-
    A surrogate key over texts that are never NULL: the first 60 bits of the MD5 of their lengths and values, equal on
    every engine. -1 is kept for the unknown member of each dimension; no hash is negative.
-#}
{% macro surrogate_key(expressions) %}
    {% set parts = [] %}
    {% for expression in expressions %}
        {% do parts.append(character_count(expression) ~ " || ':' || " ~ expression) %}
    {% endfor %}
    {{ return(adapter.dispatch('hash_key', 'grace')(parts | join(" || "))) }}
{% endmacro %}

{#- How many characters a text has; SQLite's own length stops at a NUL. -#}
{% macro character_count(text) %}{{ return(adapter.dispatch('character_count', 'grace')(text)) }}{% endmacro %}

{% macro default__character_count(text) %}{{ return('length(' ~ text ~ ')') }}{% endmacro %}

{% macro sqlite__character_count(text) %}{{ return('character_count(' ~ text ~ ')') }}{% endmacro %}

{% macro default__hash_key(text) %}
    {{ exceptions.raise_compiler_error('hash_key has no body for ' ~ target.type ~ ': 60 bits of an MD5 as bigint') }}
{% endmacro %}

{% macro duckdb__hash_key(text) %}{{ return("cast('0x' || left(md5(" ~ text ~ "), 15) as bigint)") }}{% endmacro %}

{% macro sqlite__hash_key(text) %}{{ return('hash_key(' ~ text ~ ')') }}{% endmacro %}

{% macro postgres__hash_key(text) %}{{ return("cast(cast('x' || left(md5(" ~ text ~ "), 15) as bit(60)) as bigint)") }}{% endmacro %}

{#- The key of the unknown member, to which a fact points when its dimension is not known. -#}
{% macro unknown_key() %}{{ return('-1') }}{% endmacro %}
