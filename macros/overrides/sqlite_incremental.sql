{#-
    dbt-sqlite knows one strategy: delete what comes again, and insert. Ours stand beside it here. What is returned runs as the last
    statement; what has to run before it needs one of its own.
-#}
{% macro sqlite_incremental_upsert(tmp_relation, target_relation, unique_key=none, statement_name='main') %}
    {% set ours = {'by_content': get_incremental_by_content_sql, 'by_landing': get_incremental_by_landing_sql} %}
    {% set strategy = config.get('incremental_strategy') %}
    {% if strategy in ours %}
        {% set delete, insert = ours[strategy](
            {'target_relation': target_relation, 'temp_relation': tmp_relation, 'unique_key': unique_key}
        ).split(';') %}
    {% else %}
        {% set columns = adapter.get_columns_in_relation(target_relation) | map(attribute='quoted') | join(', ') %}
        {% set delete = 'delete from ' ~ target_relation ~ ' where ' ~ unique_key ~ ' in (select ' ~ unique_key ~ ' from ' ~ tmp_relation ~ ')' %}
        {% set insert = 'insert into ' ~ target_relation ~ ' (' ~ columns ~ ') select ' ~ columns ~ ' from ' ~ tmp_relation %}
    {% endif %}
    {% call statement('delete_before_insert') %}{{ delete }}{% endcall %}
    {{ return(insert) }}
{% endmacro %}
