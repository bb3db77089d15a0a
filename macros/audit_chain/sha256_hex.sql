{#- SHA-256 of a text's UTF-8 bytes, 64 lower-case hex digits. -#}
{% macro sha256_hex(text) %}{{ return(adapter.dispatch('sha256_hex', 'grace')(text)) }}{% endmacro %}

{% macro default__sha256_hex(text) %}
    {{ exceptions.raise_compiler_error('sha256_hex has no body for ' ~ target.type ~ ': SHA-256 of a text as 64 hex digits') }}
{% endmacro %}

{% macro duckdb__sha256_hex(text) %}{{ return('sha256(' ~ text ~ ')') }}{% endmacro %}

{% macro sqlite__sha256_hex(text) %}{{ return('sha256(' ~ text ~ ')') }}{% endmacro %}

{% macro postgres__sha256_hex(text) %}{{ return("encode(sha256(convert_to(" ~ text ~ ", 'UTF8')), 'hex')") }}{% endmacro %}
