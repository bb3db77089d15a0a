{#- dbt-sqlite knows no strategies but its own: the one of facts is put in its place where a model asks for it. -#}
{% macro sqlite_incremental_upsert(tmp_relation, target_relation, unique_key=none, statement_name='main') %}
    {% if config.get('incremental_strategy') == 'by_content' %}
        {% set statements = replace_what_differs(target_relation, tmp_relation, unique_key).split(';') %}
        {% call statement('delete_what_differs') %}{{ statements[0] }}{% endcall %}
        {{ return(statements[1]) }}
    {% endif %}
    {{ return(dbt_sqlite.sqlite_incremental_upsert(tmp_relation, target_relation, unique_key, statement_name)) }}
{% endmacro %}
