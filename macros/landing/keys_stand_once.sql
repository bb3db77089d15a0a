{#-
    Whether every row of a table has a key, and no two the same, as landing writes it. Where the database sees to that itself, no
    row is looked at; else every key is.
-#}
{% macro keys_stand_once(relation, node, present) %}
    {% set name = primary_key(node)[0] %}
    {% if name in present %}
        {% set engine = operational_engine() %}
        {% set schema = none if engine == 'sqlite' and target.type != 'sqlite' else relation.schema %}
        {% set proof = for_dialect('proof_of_key', engine)(relation, schema, present[name].name) %}
        {% if run_query(asked_natively(relation, proof)) %}
            {{ return(true) }}
        {% endif %}
    {% endif %}
    {% set key = clean_text(adapter.quote(name)) %}
    {{ return(not run_query(
        'select 1 from (' ~ rows_as_text(relation, [name], present) ~ ') as stored group by ' ~ key
        ~ ' having count(*) > 1 or ' ~ key ~ ' is null limit 1'
    )) }}
{% endmacro %}

{#- A query of one row where a column alone is the primary key, in the words of the database that holds the table. -#}

{#-
    A key of SQLite may be NULL, and different keys may have the same text: a number and its digits, bytes and their hex digits,
    broken text and what clean_text makes of it. First and last key say which classes there are; each look takes a step in the
    index of the key.
-#}
{% macro sqlite__proof_of_key(relation, schema, key) %}
    {% set place = qualify_name(relation.identifier, 'sqlite', schema) %}
    {% set key_name = quote_name(key, 'sqlite') %}
    {% set table = "'" ~ relation.identifier ~ "'" ~ (", '" ~ schema ~ "'" if schema else '') %}
    {{ return(
        "select 1 as proof where (select group_concat(name) from pragma_table_info(" ~ table ~ ") where pk > 0) = '" ~ key ~ "'"
        ~ ' and (select typeof(min(' ~ key_name ~ ')) from ' ~ place ~ ") || ' ' || (select typeof(max(" ~ key_name ~ ')) from '
        ~ place ~ ") in ('text text', 'integer integer', 'null null')"
        ~ ' and not exists (select 1 from ' ~ place ~ ' where ' ~ key_name ~ ' is null)'
        ~ ' and not exists (select 1 from ' ~ place ~ ' where ' ~ key_name ~ " >= '\\x' and " ~ key_name ~ " < '\\y')"
    ) }}
{% endmacro %}

{% macro duckdb__proof_of_key(relation, schema, key) %}
    {{ return(
        "select 1 as proof from duckdb_constraints() where database_name = '" ~ relation.database ~ "' and schema_name = '" ~ schema
        ~ "' and lower(table_name) = lower('" ~ relation.identifier
        ~ "') and constraint_type = 'PRIMARY KEY' and constraint_column_names = ['" ~ key ~ "']"
    ) }}
{% endmacro %}

{#- A key holds for each part of a partitioned table, but not for tables that inherit from it. -#}
{% macro postgres__proof_of_key(relation, schema, key) %}
    {% set place = qualify_name(relation.identifier, 'postgres', schema) %}
    {{ return(
        'select 1 as proof from pg_index join pg_class on pg_class.oid = indrelid join pg_attribute on attrelid = indrelid'
        ~ " and attnum = indkey[0] where indrelid = to_regclass('" ~ place ~ "') and indisprimary and indnkeyatts = 1"
        ~ " and indisvalid and attname = '" ~ key ~ "' and (relkind = 'p' or not relhassubclass)"
    ) }}
{% endmacro %}

{% macro mysql__proof_of_key(relation, schema, key) %}
    {{ return(
        "select 1 as proof from information_schema.statistics where table_schema = '" ~ schema ~ "' and table_name = '"
        ~ relation.identifier ~ "' and index_name = 'PRIMARY' having count(*) = 1 and max(column_name) = '" ~ key ~ "'"
    ) }}
{% endmacro %}
