{#- What a landing model writes down of its own run, in two statements, for an engine that runs one at a time. -#}
{% macro add_landing_read(table) %}
    {% set reads = ref('landing_reads') %}
    {{ return('insert into ' ~ reads ~ " (source_table) select '" ~ table ~ "' where not exists (select 1 from " ~ reads
        ~ " where source_table = '" ~ table ~ "')") }}
{% endmacro %}

{#-
    How rows were read stands in the model's own SQL; a table that is missing was not read, and its row stays as it was. What a
    backfill brought says nothing of what came after the last look: the next window begins where it would have begun.
-#}
{% macro set_landing_read(table) %}
    {% set reads = ref('landing_reads') %}
    {% set mode = model['compiled_code'].partition('-- rows read: ')[2].partition('\n')[0] if execute else 'none' %}
    {% if mode == 'none' %}
        {{ return('') }}
    {% endif %}
    {{ return(
        'update ' ~ reads ~ ' set rows_there = (select count(*) from ' ~ this ~ ' where not _is_deleted)'
        ~ (", read_mode = '" ~ mode ~ "', newest_at = (select max(_occurred_at) from " ~ this ~ ' where not _is_deleted and '
        ~ is_in_span('_occurred_at') ~ ')' if mode != 'backfill' else '')
        ~ (', exact_at = ' ~ run_clock() if mode == 'all' else '') ~ " where source_table = '" ~ table ~ "'"
    ) }}
{% endmacro %}

{#- The row of a table in landing_reads; none before a first run. -#}
{% macro landing_read(table, reads) %}
    {% set found = run_query(
        'select rows_there, ' ~ as_text('newest_at') ~ ' as newest_at from ' ~ reads ~ " where source_table = '" ~ table
        ~ "' and read_mode is not null"
    ) %}
    {{ return(found[0] if found else none) }}
{% endmacro %}
