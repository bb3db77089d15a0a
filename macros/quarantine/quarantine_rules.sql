{#-
    What keeps a landed value out of the cube, or into an `unknown` member: a list of {column, reason, breach}, where
    breach is SQL over the landed text. Derived from the declaration; docs/cube.md says what becomes of each reason.
-#}
{% macro quarantine_rules(node) %}
    {% set rules = [] %}
    {% for column in node.columns.values() if column.name in landed_columns(node) %}
        {% set name = adapter.quote(column.name) %}
        {% if column_constraints(column, 'primary_key') %}
            {% do rules.append({'column': column.name, 'reason': 'missing_key', 'breach': name ~ ' is null'}) %}
            {% do rules.append({'column': column.name, 'reason': 'duplicate_key', 'breach': "_landing_id not like '1=%' and _landing_id not like '1!%'"}) %}
        {% elif column_constraints(column, 'not_null') %}
            {% do rules.append({'column': column.name, 'reason': 'missing', 'breach': name ~ ' is null'}) %}
        {% endif %}
        {% if column.data_type == 'timestamp' or column.config.meta.get('format') == 'timestamp' %}
            {% do rules.append({
                'column': column.name, 'reason': 'unreadable',
                'breach': name ~ ' is not null and (' ~ parse_timestamp(name) ~ ') is null'
            }) %}
            {% do rules.append({
                'column': column.name, 'reason': 'outside_time_span',
                'breach': 'not (' ~ is_in_span(parse_timestamp(name)) ~ ')'
            }) %}
        {% elif column.data_type not in ('text', 'blob') %}
            {% do rules.append({
                'column': column.name, 'reason': 'unreadable',
                'breach': name ~ ' is not null and (' ~ read_column(name, column.data_type) ~ ') is null'
            }) %}
        {% endif %}
        {% if column.data_type in ('text', 'json') %}
            {% do rules.append({'column': column.name, 'reason': 'not_utf8', 'breach': is_hex_of_bytes(name)}) %}
        {% endif %}
        {% if column.config.meta.accepted_values is defined %}
            {% do rules.append({
                'column': column.name, 'reason': 'unknown_value',
                'breach': trimmed(name) ~ " not in ('" ~ column.config.meta.accepted_values | join("', '") ~ "')"
            }) %}
        {% endif %}
    {% endfor %}
    {{ return(rules) }}
{% endmacro %}

{#-
    Whether a landed row breaks any rule: decided once, when the row changes, so that quarantine reads flagged rows only.
    A time is parsed once for both of its rules.
-#}
{% macro has_finding(node) %}
    {% set breaches = [] %}
    {% for rule in quarantine_rules(node) %}
        {% set breach = rule.breach %}
        {% if rule.reason == 'outside_time_span' %}
            {% do breaches.pop() %}
            {% set name = adapter.quote(rule.column) %}
            {% set breach = name ~ ' is not null and not coalesce(' ~ is_in_span(parse_timestamp(name)) ~ ', ' ~ truth(false) ~ ')' %}
        {% endif %}
        {% do breaches.append('coalesce(' ~ breach ~ ', ' ~ truth(false) ~ ')') %}
    {% endfor %}
    {{ return('(' ~ breaches | join('\n        or ') ~ ')') }}
{% endmacro %}

{#-
    What there is to list, asked in one query: of each table whether a row is flagged, and of each unique key whether a value
    stands twice. A table in order, as nearly all are, costs no query of its own. As `<table>` and `<table>: <columns of key>`.
-#}
{% macro quarantine_marks() %}
    {% set probes = [] %}
    {% for _, table in landed_tables() %}
        {% set landing = ref('land_' ~ table) %}
        {% if execute %}
            {% do probes.append(flagged_probe(table, landing)) %}
            {% for key in repeatable_keys(table) %}
                {% do probes.append(
                    "select '" ~ table ~ ': ' ~ key | join(', ') ~ "' as mark where exists ("
                    ~ adapter.dispatch('values_may_stand_twice', 'grace')(landing, key) ~ ')'
                ) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(run_query(probes | join('\nunion all\n')).columns[0].values() | list if execute else []) }}
{% endmacro %}

{#- The tables that have a flagged row. -#}
{% macro flagged_tables() %}
    {% set probes = [] %}
    {% for _, table in landed_tables() %}
        {% do probes.append(flagged_probe(table, ref('land_' ~ table))) %}
    {% endfor %}
    {{ return(run_query(probes | join('\nunion all\n')).columns[0].values() | list if execute else []) }}
{% endmacro %}

{% macro flagged_probe(table, landing) %}
    {{ return("select '" ~ table ~ "' as mark where exists (select 1 from " ~ landing ~ ' where _has_finding and not _is_deleted)') }}
{% endmacro %}

{#- The unique keys of a table besides its primary key, which landing itself tells apart. -#}
{% macro repeatable_keys(table) %}
    {% set node = declared_table(table) %}
    {{ return(unique_keys(node) | reject('equalto', primary_key(node)) | list) }}
{% endmacro %}

{#- The parts of a unique key as SQL, blank text as no value. -#}
{% macro key_values(key) %}
    {% set values = [] %}
    {% for column in key %}
        {% do values.append('nullif(' ~ trimmed(adapter.quote(column)) ~ ", '')") %}
    {% endfor %}
    {{ return(values) }}
{% endmacro %}

{% macro values_that_stand_twice(landing, key) %}
    {% set values = key_values(key) | join(', ') %}
    {{ return('select ' ~ values ~ ' from ' ~ rows_with_values(landing, key) ~ ' group by ' ~ values ~ ' having count(*) > 1') }}
{% endmacro %}

{% macro rows_with_values(landing, key) %}
    {{ return(landing ~ ' where ' ~ is_landed() ~ ' and ' ~ key_values(key) | join(' is not null and ') ~ ' is not null') }}
{% endmacro %}

{#- A query that has rows where the former has, and perhaps where it has none: what decides is the former. -#}
{% macro default__values_may_stand_twice(landing, key) %}{{ return(values_that_stand_twice(landing, key)) }}{% endmacro %}

{#- Hashes are grouped in a third of the time of long texts. -#}
{% macro duckdb__values_may_stand_twice(landing, key) %}
    {% set values = 'hash(' ~ key_values(key) | join(', ') ~ ')' %}
    {{ return('select ' ~ values ~ ' from ' ~ rows_with_values(landing, key) ~ ' group by ' ~ values ~ ' having count(*) > 1') }}
{% endmacro %}

{#-
    The findings of landing models, a row each: source_table, row_key, column_name, reason, masked_value. Flagged rows are looked
    for once, not once a rule. What rows break together is asked of the whole table, once a unique key.
-#}
{% macro quarantine_findings() %}
    {% set marks = quarantine_marks() %}
    {% set queries = [] %}
    {% for _, table in landed_tables() if execute %}
        {% set landing = ref('land_' ~ table) %}
        {% if table in marks %}
            {% do queries.append(flagged_findings(table, landing)) %}
        {% endif %}
        {% for key in repeatable_keys(table) if table ~ ': ' ~ key | join(', ') in marks %}
            {% do queries.append(repeated_values(table, landing, key)) %}
        {% endfor %}
    {% endfor %}
    {% set text = 'cast(null as ' ~ dbt.type_string() ~ ')' %}
    {{ return(
        queries | join('\nunion all\n') or 'select ' ~ text ~ ' as source_table, ' ~ text ~ ' as row_key, ' ~ text ~ ' as column_name, '
        ~ text ~ ' as reason, ' ~ text ~ ' as masked_value where 1 = 0'
    ) }}
{% endmacro %}

{% macro flagged_findings(table, landing) %}
    {% set findings = [] %}
    {% for rule in quarantine_rules(declared_table(table)) %}
        {% set found %}
select
    '{{ table }}' as source_table,
    _landing_id as row_key,
    '{{ rule.column }}' as column_name,
    '{{ rule.reason }}' as reason,
    {{ mask_text(adapter.quote(rule.column)) }} as masked_value
from flagged
where {{ rule.breach }}
        {% endset %}
        {% do findings.append(found) %}
    {% endfor %}
    {{ return(
        'select * from (\nwith flagged as materialized (select * from ' ~ landing
        ~ ' where _has_finding and not _is_deleted)\n' ~ findings | join('\nunion all\n') ~ '\n) as findings'
    ) }}
{% endmacro %}

{#-
    The rows that repeat the value of a unique key (several columns count together, named `a, b`), all but the one with the
    highest primary key, which was written last. Blank text is no value, and rows that are not in the cube repeat nothing.
-#}
{% macro repeated_values(table, landing, key) %}
    {% set names = [] %}
    {% set values = [] %}
    {% for value in key_values(key) %}
        {% do names.append('value_' ~ loop.index) %}
        {% do values.append(value ~ ' as value_' ~ loop.index) %}
    {% endfor %}
    {% set names_list = names | join(', ') %}
    {% set written = read_integer(adapter.quote(primary_key(declared_table(table))[0])) %}
select
    '{{ table }}' as source_table,
    row_key,
    '{{ key | join(', ') }}' as column_name,
    'duplicate_value' as reason,
    {{ mask_text(names | join(" || ', ' || ")) }} as masked_value
from (
    select
        row_key,
        {{ names_list }},
        row_number() over (
            partition by {{ names_list }}
            order by written is null, written desc, {{ surrogate_key(['row_key']) }} desc
        ) as recency
    from (
        select _landing_id as row_key, {{ written }} as written, {{ values | join(', ') }}
        from {{ landing }}
        where {{ is_landed() }}
    ) as candidates
    where ({{ names_list }}) in (
        {{ values_that_stand_twice(landing, key) }}
    )
) as repeated
where recency > 1
{% endmacro %}

{#- The shape of a value, never the value: letters as x, digits as 9, at most 64 characters. -#}
{% macro mask_text(column) %}{{ return(adapter.dispatch('mask_text', 'grace')(column)) }}{% endmacro %}

{% macro default__mask_text(column) %}
    {{ exceptions.raise_compiler_error('mask_text has no body for ' ~ target.type ~ ': letters to x, digits to 9') }}
{% endmacro %}

{% macro duckdb__mask_text(column) %}
    {{ return("left(regexp_replace(regexp_replace(" ~ column ~ ", '\\p{L}', 'x', 'g'), '[0-9]', '9', 'g'), 64)") }}
{% endmacro %}

{% macro sqlite__mask_text(column) %}{{ return('mask_text(' ~ column ~ ')') }}{% endmacro %}

{#- Under the C locale a letter is one of ASCII: the collation of ICU knows the others. -#}
{% macro postgres__mask_text(column) %}
    {{ return(
        'left(regexp_replace(regexp_replace(' ~ column ~ ' collate "und-x-icu", \'[[:alpha:]]\', \'x\', \'g\'), '
        ~ "'[0-9]', '9', 'g'), 64) collate \"default\""
    ) }}
{% endmacro %}
