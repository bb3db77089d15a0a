{#-
    `dbt source freshness` reads the newest time of a table as landing does: a clock stored as text counts, and one value that
    can't be read does not stop it. The moment of the check is the run's clock, in UTC like the times.
-#}
{% macro default__collect_freshness(source, loaded_at_field, filter) %}
    {% set names = declared_table(source.identifier).columns if filter else [loaded_at_field] %}
    {% call statement('collect_freshness', fetch_result=True, auto_begin=False) %}
        select
            max({{ read_timestamp(adapter.quote(loaded_at_field)) }}) as max_loaded_at,
            {{ run_clock() }} as snapshotted_at
        from ({{ rows_as_text(source, names, present_columns(source)) }}) as stored
        {% if filter %}
        where {{ filter }}
        {% endif %}
    {% endcall %}
    {{ return(load_result('collect_freshness')) }}
{% endmacro %}
