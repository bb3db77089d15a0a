{#-
    A text to order by where the smallest one counts: by its bytes, whatever the language of the database, so that every
    engine picks the same row.
-#}
{% macro byte_order(text) %}{{ return(adapter.dispatch('byte_order', 'grace')(text)) }}{% endmacro %}

{% macro default__byte_order(text) %}
    {{ exceptions.raise_compiler_error('byte_order has no body for ' ~ target.type ~ ': a text that sorts by its bytes') }}
{% endmacro %}

{% macro duckdb__byte_order(text) %}{{ return(text) }}{% endmacro %}

{% macro sqlite__byte_order(text) %}{{ return(text) }}{% endmacro %}

{% macro postgres__byte_order(text) %}{{ return(text ~ ' collate "C"') }}{% endmacro %}
