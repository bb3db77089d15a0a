{#- Selects every declared column of an operational table as text; a column that the table lacks is NULL. -#}
{% macro rows_as_text(relation, node, present) %}
    {{ return(adapter.dispatch('rows_as_text', 'grace')(relation, node, present)) }}
{% endmacro %}

{% macro default__rows_as_text(relation, node, present) %}
    {% set columns = [] %}
    {% for name in node.columns %}
        {% do columns.append((as_text(adapter.quote(name)) if name in present else as_text('null')) ~ ' as ' ~ adapter.quote(name)) %}
    {% endfor %}
    {{ return('select ' ~ columns | join(', ') ~ (' from ' ~ relation if present else ' where 1 = 0')) }}
{% endmacro %}

{#-
    Over an attached SQLite file the select runs inside SQLite: a plain scan as text would cut real numbers to 15 digits.
    Everything else there arrives as text already (sqlite_all_varchar), so that no stored value can stop the scan.
-#}
{% macro duckdb__rows_as_text(relation, node, present) %}
    {% if not present or not env_var('GRACE_OPERATIONAL_URL', '').startswith('sqlite:') %}
        {{ return(default__rows_as_text(relation, node, present)) }}
    {% endif %}
    {% set native = select_stored_text(qualify_name(node.name, 'sqlite'), node, present) %}
    {{ return("select * from sqlite_query('" ~ relation.database ~ "', '" ~ native | replace("'", "''") ~ "')") }}
{% endmacro %}

{#- A function gets no text that is not UTF-8, so each text is cleaned by its bytes at once. -#}
{% macro sqlite__rows_as_text(relation, node, present) %}
    {% if not present %}
        {{ return(default__rows_as_text(relation, node, present)) }}
    {% endif %}
    {{ return(select_stored_text(relation, node, present, clean='clean_text')) }}
{% endmacro %}

{#-
    A select for SQLite itself: what each cell holds as text, whatever its storage class, since a column may hold any of
    them. `clean` names a function that takes the bytes of a text.
-#}
{% macro select_stored_text(relation, node, present, clean=none) %}
    {% set columns = [] %}
    {% for column in node.columns.values() %}
        {% set name = quote_name(column.name, 'sqlite') %}
        {% if column.name in present %}
            {% set text = clean ~ '(cast(' ~ name ~ ' as blob))' if clean else name %}
            {% set cell = 'case typeof(' ~ name ~ ") when 'text' then " ~ text ~ " when 'real' then printf('%!.17g', " ~ name
                ~ ") when 'blob' then hex(" ~ name ~ ') else cast(' ~ name ~ ' as text) end' %}
        {% else %}
            {% set cell = 'cast(null as text)' %}
        {% endif %}
        {% do columns.append(cell ~ ' as ' ~ name) %}
    {% endfor %}
    {{ return('select ' ~ columns | join(', ') ~ ' from ' ~ relation) }}
{% endmacro %}

{#-
    A text as it may be kept: bytes that are not UTF-8, which SQLite hands out as text and which break whatever touches them
    later, become \x and their hex digits.
-#}
{% macro clean_text(column) %}{{ return(adapter.dispatch('clean_text', 'grace')(column)) }}{% endmacro %}

{% macro default__clean_text(column) %}{{ return(column) }}{% endmacro %}

{#- The pattern is matched by code point, so bytes that are none don't match. -#}
{% macro duckdb__clean_text(column) %}
    {{ return("case when regexp_full_match(" ~ column ~ ", '(?s:.*)') then " ~ column ~ " when " ~ column
        ~ " is not null then '\\x' || hex(" ~ column ~ ') end') }}
{% endmacro %}

{#- Whether a landed text is the hex digits that clean_text left. -#}
{% macro is_hex_of_bytes(column) %}{{ return(adapter.dispatch('is_hex_of_bytes', 'grace')(column)) }}{% endmacro %}

{% macro default__is_hex_of_bytes(column) %}
    {{ exceptions.raise_compiler_error('is_hex_of_bytes has no body for ' ~ target.type ~ ': whether a text is what clean_text left') }}
{% endmacro %}

{% macro sqlite__is_hex_of_bytes(column) %}{{ return('is_hex_of_bytes(' ~ column ~ ')') }}{% endmacro %}

{% macro duckdb__is_hex_of_bytes(column) %}
    {{ return("starts_with(" ~ column ~ ", '\\x') and regexp_full_match(" ~ column ~ ", '\\\\x(?:[0-9A-F]{2})+')") }}
{% endmacro %}

{% macro postgres__is_hex_of_bytes(column) %}{{ return(column ~ " ~ '^\\\\x(?:[0-9A-F]{2})+$'") }}{% endmacro %}
