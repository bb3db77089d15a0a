{#- What seals an entry of a chain whose content is `content`, at `position`, behind the seal `previous`. -#}
{% macro seal_of(chain, content, previous, position) %}
    {% set place, previous = as_text(position), 'coalesce(' ~ previous ~ ", 'None')" %}
    {{ return(sha256_hex(with_colons([place, content, previous] if chain.name == 'immutable_log' else [content, previous, place]))) }}
{% endmacro %}

{#- Texts joined by colons; NULL where one of them is. -#}
{% macro with_colons(texts) %}{{ return(adapter.dispatch('with_colons', 'grace')(texts)) }}{% endmacro %}

{% macro default__with_colons(texts) %}{{ return(texts | join(" || ':' || ")) }}{% endmacro %}

{#- One call copies each text once. It takes NULL for an empty text: of what is joined here a place that can't be read alone. -#}
{% macro duckdb__with_colons(texts) %}{{ return('concat(' ~ texts | join(", ':', ") ~ ')') }}{% endmacro %}
