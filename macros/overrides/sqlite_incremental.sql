{#-
    dbt-sqlite knows one strategy: delete what comes again, and insert. The one of facts stands beside it here. What is returned
    runs as the last statement; what has to run before it needs one of its own.
-#}
{% macro sqlite_incremental_upsert(tmp_relation, target_relation, unique_key=none, statement_name='main') %}
    {% set columns = adapter.get_columns_in_relation(target_relation) | map(attribute='quoted') | join(', ') %}
    {% if config.get('incremental_strategy') == 'by_content' %}
        {% set delete, insert = default__replace_what_differs(target_relation, tmp_relation, unique_key).split(';') %}
    {% else %}
        {% set delete = 'delete from ' ~ target_relation ~ ' where ' ~ unique_key ~ ' in (select ' ~ unique_key ~ ' from ' ~ tmp_relation ~ ')' %}
        {% set insert = 'insert into ' ~ target_relation ~ ' (' ~ columns ~ ') select ' ~ columns ~ ' from ' ~ tmp_relation %}
    {% endif %}
    {% if unique_key is not none %}
        {% call statement('delete_before_insert') %}{{ delete }}{% endcall %}
    {% endif %}
    {{ return(insert) }}
{% endmacro %}
