{#- SQLite. A declared JSON type would have numeric affinity and turn '1.0' into 1: JSON is TEXT, byte for byte. -#}

{% macro sqlite__quote_mark() %}{{ return('"') }}{% endmacro %}

{% macro sqlite__ddl_type(logical, in_key=false, hashed=false) %}
    {{ return({
        'text': 'TEXT', 'integer': 'INTEGER', 'real': 'REAL', 'boolean': 'BOOLEAN',
        'timestamp': 'TIMESTAMP', 'json': 'TEXT', 'blob': 'BLOB'
    }[logical]) }}
{% endmacro %}

{#- The parent is never qualified: a reference cannot leave the file. -#}
{% macro sqlite__ddl_reference(foreign, node, schema) %}
    {% set action = ' ' ~ foreign.expression if foreign.expression else '' %}
    {{ return(
        'references ' ~ quote_name(foreign.to, 'sqlite') ~ ' (' ~ quote_names(foreign.to_columns, 'sqlite') ~ ')' ~ action
    ) }}
{% endmacro %}

{#- The schema stands before the index, not before the table. -#}
{% macro sqlite__ddl_index_target(name, table, schema) %}
    {{ return('if not exists ' ~ qualify_name(name, 'sqlite', schema) ~ ' on ' ~ quote_name(table, 'sqlite')) }}
{% endmacro %}

{#-
    UPDATE and DELETE fail by trigger; a cascade from a parent fires the same delete trigger. INSERT OR REPLACE deletes
    without firing one, so an insert that meets an existing key fails as well: OR IGNORE on a duplicate is refused with it.
    The rowid is such a key beside a primary key of text.
-#}
{% macro sqlite__plan_immutability(node, schema) %}
    {% set same = ['rowid = new.rowid'] %}
    {% for key in unique_keys(node) %}
        {% set pairs = [] %}
        {% for name in key %}
            {% do pairs.append(quote_name(name, 'sqlite') ~ ' = new.' ~ quote_name(name, 'sqlite')) %}
        {% endfor %}
        {% do same.append('(' ~ pairs | join(' and ') ~ ')') %}
    {% endfor %}
    {% set exists = 'exists (select 1 from ' ~ quote_name(node.name, 'sqlite') ~ ' where ' ~ same | join(' or ') ~ ')' %}
    {% set plan = [] %}
    {% for event, condition, verb in [
        ('update', '', 'updated'), ('delete', '', 'deleted'), ('insert', ' when ' ~ exists, 'replaced')
    ] %}
        {% set name = node.name ~ '__never_' ~ verb %}
        {% do plan.append({
            'name': name,
            'sql': 'create trigger if not exists ' ~ qualify_name(name, 'sqlite', schema) ~ ' before ' ~ event ~ ' on '
                ~ quote_name(node.name, 'sqlite') ~ condition
                ~ "\nbegin\n    select raise(abort, '" ~ immutability_rule(node) ~ ": a row is never " ~ verb ~ "');\nend"
        }) %}
    {% endfor %}
    {{ return(plan) }}
{% endmacro %}

{#- An INTEGER key is the row's own number. -#}
{% macro sqlite__automatic_key() %}{{ return('') }}{% endmacro %}

{% macro sqlite__ddl_default(value) %}{{ return(value) }}{% endmacro %}

{% macro sqlite__references_stand_apart() %}{{ return(false) }}{% endmacro %}

{% macro sqlite__table_options(node) %}{{ return('') }}{% endmacro %}

{#- SQLite keeps the statement itself, and no comments. -#}
{% macro sqlite__plan_comment(node, schema) %}{{ return([]) }}{% endmacro %}

{% macro sqlite__addable_column(column, node) %}{{ return(plain_addable_column(column, node, 'sqlite')) }}{% endmacro %}

{#- What a column is can't be changed. -#}
{% macro sqlite__plan_set_default(column, node) %}{{ return(none) }}{% endmacro %}
