{#-
    Selects declared columns of an operational table, each as the text it is stored as; a column that the table lacks is
    NULL. `present` is what `present_columns` found. `condition` is in the words of the database that holds the table, over its
    stored values. With `marks_bytes` a value that is bytes is told from the text of its hex digits.

    Over an attached database the select runs inside that database: a scan by DuckDB would cut SQLite's real numbers to 15
    digits and read a zero date of MySQL as NULL, and one value that it can't read would stop it.
-#}
{% macro rows_as_text(relation, names, present, condition=none, marks_bytes=false) %}
    {#- A table that is not there is asked of nobody: its empty select is in the words of the target. -#}
    {% set engine = operational_engine() if present else target.type %}
    {% set cells = [] %}
    {% for name in names %}
        {% set found = present.get(name) %}
        {% set stored, type = (quote_name(found.name, engine), found.dtype | lower) if found else ('null', 'text') %}
        {% set cell = context[engine ~ '__stored_cell'](stored, type, marks_bytes) %}
        {% do cells.append(cell ~ ' as ' ~ quote_name(name, engine)) %}
    {% endfor %}
    {% if not present %}
        {{ return('select ' ~ cells | join(', ') ~ ' where 1 = 0') }}
    {% endif %}
    {% set filter = ' where ' ~ condition if condition else '' %}
    {% if engine == target.type %}
        {{ return('select ' ~ cells | join(', ') ~ ' from ' ~ relation ~ filter) }}
    {% endif %}
    {% set place = qualify_name(relation.identifier, engine, none if engine == 'sqlite' else relation.schema) %}
    {{ return(asked_natively(relation, 'select ' ~ cells | join(', ') ~ ' from ' ~ place ~ filter)) }}
{% endmacro %}

{#- A query in the words of the database that holds a table, run inside that database. -#}
{% macro asked_natively(relation, query) %}
    {% set engine = operational_engine() %}
    {{ return(query if engine == target.type else
        'select * from ' ~ engine ~ "_query('" ~ relation.database ~ "', '" ~ query | replace("'", "''") ~ "')"
    ) }}
{% endmacro %}

{#- The columns that an operational table has, by lower-case name; empty where there is no such table. -#}
{% macro present_columns(relation) %}
    {% set found = {} %}
    {% for column in adapter.get_columns_in_relation(relation) %}
        {% do found.update({column.name | lower: column}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- The engine that holds the operational tables: the target's own, unless a live database is attached to DuckDB. -#}
{% macro operational_engine() %}
    {% set scheme = env_var('GRACE_OPERATIONAL_URL', '').split(':')[0] %}
    {% if target.type != 'duckdb' or not scheme %}
        {{ return(target.type) }}
    {% endif %}
    {{ return('postgres' if scheme == 'postgresql' else scheme) }}
{% endmacro %}

{#- How each engine says the text of a stored value; with `marks_bytes` hex digits of bytes stand behind \x. -#}
{% macro duckdb__stored_cell(column, type, marks_bytes=false) %}{{ return('cast(' ~ column ~ ' as varchar)') }}{% endmacro %}

{#-
    A column may hold any storage class; a function of ours gets no text that is not UTF-8, so it takes the bytes. Nearly every
    value is a text, told by where texts sort: behind all numbers and before all blobs, in half the time that its name takes.
-#}
{% macro sqlite__stored_cell(column, type, marks_bytes=false) %}
    {% set text = 'clean_text(cast(' ~ column ~ ' as blob))' if target.type == 'sqlite' else column %}
    {{ return(
        'case when ' ~ column ~ " >= '' and " ~ column ~ " < x'' then " ~ text ~ ' else case typeof(' ~ column
        ~ ") when 'real' then printf('%!.17g', " ~ column ~ ") when 'blob' then " ~ ("'\\x' || " if marks_bytes else '') ~ 'hex(' ~ column
        ~ ') else cast(' ~ column
        ~ ' as text) end end'
    ) }}
{% endmacro %}

{#- As JSON a time is ISO 8601, whatever DateStyle and zone the server has; with the blank that the other engines write. -#}
{% macro postgres__stored_cell(column, type, marks_bytes=false) %}
    {% if type in ('timestamp with time zone', 'timestamptz') %}
        {{ return("replace(to_jsonb(timezone('UTC', " ~ column ~ ")) #>> '{}', 'T', ' ')") }}
    {% elif type.startswith('timestamp') or type == 'date' %}
        {{ return('replace(to_jsonb(' ~ column ~ ") #>> '{}', 'T', ' ')") }}
    {% elif type in ('bytea', 'blob') %}
        {{ return(("'\\x' || " if marks_bytes else '') ~ 'upper(encode(' ~ column ~ ", 'hex'))") }}
    {% endif %}
    {{ return('cast(' ~ column ~ ' as text)') }}
{% endmacro %}

{#-
    The scanner takes a text with a binary collation for bytes. The session is in UTC, so a TIMESTAMP is as well. A BIT is the
    byte of its number, unless it is calculated with; a FLOAT would be told by six digits.
-#}
{% macro mysql__stored_cell(column, type, marks_bytes=false) %}
    {% if type == 'blob' %}
        {{ return("concat('\\\\x', hex(" ~ column ~ '))' if marks_bytes else 'hex(' ~ column ~ ')') }}
    {% endif %}
    {% set value = {'boolean': column ~ ' + 0', 'float': 'cast(' ~ column ~ ' as double)'}.get(type, column) %}
    {{ return('convert(' ~ value ~ ' using utf8mb4) collate utf8mb4_general_ci') }}
{% endmacro %}

{#-
    A text as it may be kept: bytes that are not UTF-8, which SQLite hands out as text and which break whatever touches them
    later, become \x and their hex digits.
-#}
{% macro clean_text(column) %}{{ return(adapter.dispatch('clean_text', 'grace')(column)) }}{% endmacro %}

{% macro default__clean_text(column) %}{{ return(column) }}{% endmacro %}

{#- decode() refuses bytes that are no UTF-8, in a fifth of the time of a pattern. -#}
{% macro duckdb__clean_text(column) %}
    {{ return("coalesce(try(decode(encode(" ~ column ~ "))), '\\x' || hex(" ~ column ~ '))') }}
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
