{#-
    `dbt source freshness` reads the newest time of a table through read_timestamp: a clock stored as text counts, and one
    value that can't be read does not stop it. The moment of the check is the run's clock, in UTC like the times.
-#}
{% macro default__collect_freshness(source, loaded_at_field, filter) %}
    {% call statement('collect_freshness', fetch_result=True, auto_begin=False) %}
        select
            max({{ read_timestamp(adapter.quote(loaded_at_field)) }}) as max_loaded_at,
            {{ run_clock() }} as snapshotted_at
        from {{ source }}
        {% if filter %}
        where {{ filter }}
        {% endif %}
    {% endcall %}
    {{ return(load_result('collect_freshness')) }}
{% endmacro %}
