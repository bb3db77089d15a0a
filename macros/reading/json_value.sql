{#- A top-level text of a JSON column, NULL where the column is no JSON or has no such key. -#}
{% macro json_text(column, key) %}{{ return(adapter.dispatch('json_text', 'grace')(column, key)) }}{% endmacro %}

{% macro default__json_text(column, key) %}
    {{ exceptions.raise_compiler_error('json_text has no body for ' ~ target.type ~ ': a top-level key as text') }}
{% endmacro %}

{% macro duckdb__json_text(column, key) %}
    {#- Looking for the key first spares most rows the parser. -#}
    {{ return(
        "case when contains(" ~ column ~ ", '\"" ~ key ~ "\"') and " ~ is_json(column) ~ " then json_extract_string(" ~ column
        ~ ", '$." ~ key ~ "') end"
    ) }}
{% endmacro %}

{% macro sqlite__json_text(column, key) %}
    {{ return(
        "case when instr(" ~ column ~ ", '\"" ~ key ~ "\"') > 0 and " ~ is_json(column) ~ " then case json_type(" ~ column ~ ", '$." ~ key ~ "') when 'true' then 'true' when 'false' then 'false'"
        ~ " else cast(json_extract(" ~ column ~ ", '$." ~ key ~ "') as text) end end"
    ) }}
{% endmacro %}

{% macro postgres__json_text(column, key) %}
    {{ return(
        "case when strpos(" ~ column ~ ", '\"" ~ key ~ "\"') > 0 then " ~ function_name('json_text') ~ "(" ~ column ~ ", '" ~ key ~ "') end"
    ) }}
{% endmacro %}

{#- The largest absolute number among the top-level values of a JSON object, NULL where there is none. -#}
{% macro json_largest_number(column) %}{{ return(adapter.dispatch('json_largest_number', 'grace')(column)) }}{% endmacro %}

{% macro default__json_largest_number(column) %}
    {{ exceptions.raise_compiler_error('json_largest_number has no body for ' ~ target.type) }}
{% endmacro %}

{% macro duckdb__json_largest_number(column) %}
    {{ return(
        "case when " ~ is_json(column) ~ " and json_type(" ~ column ~ ") = 'OBJECT' then list_max(list_transform("
        ~ "list_filter(json_extract(" ~ column ~ ", '$.*'), lambda member: json_type(member) in ('DOUBLE', 'BIGINT', 'UBIGINT') and abs(try_cast(member as double)) <= 1e100), "
        ~ "lambda member: abs(cast(member as double)))) end"
    ) }}
{% endmacro %}

{% macro sqlite__json_largest_number(column) %}
    {{ return(
        "case when " ~ is_json(column) ~ " and json_type(" ~ column ~ ") = 'object' then (select max(abs(cast(member.value as real)))"
        ~ " from json_each(" ~ column ~ ") as member where member.type in ('integer', 'real') and abs(cast(member.value as real)) <= 1e100) end"
    ) }}
{% endmacro %}

{% macro postgres__json_largest_number(column) %}
    {{ return(function_name('json_largest_number') ~ '(' ~ column ~ ')') }}
{% endmacro %}

{#- How many elements a JSON array has, NULL where the column is none. -#}
{% macro json_length(column) %}{{ return(adapter.dispatch('json_length', 'grace')(column)) }}{% endmacro %}

{% macro default__json_length(column) %}
    {{ exceptions.raise_compiler_error('json_length has no body for ' ~ target.type ~ ': elements of a JSON array') }}
{% endmacro %}

{% macro duckdb__json_length(column) %}
    {{ return(
        "case when " ~ is_json(column) ~ " and json_type(" ~ column ~ ") = 'ARRAY' then cast(json_array_length(" ~ column ~ ") as bigint) end"
    ) }}
{% endmacro %}

{% macro sqlite__json_length(column) %}
    {{ return(
        "case when " ~ is_json(column) ~ " and json_type(" ~ column ~ ") = 'array' then json_array_length(" ~ column ~ ") end"
    ) }}
{% endmacro %}

{% macro postgres__json_length(column) %}
    {{ return(
        "case when " ~ is_json(column) ~ " and json_typeof(cast(" ~ column ~ " as json)) = 'array' then cast(json_array_length(cast(" ~ column
        ~ " as json)) as bigint) end"
    ) }}
{% endmacro %}
