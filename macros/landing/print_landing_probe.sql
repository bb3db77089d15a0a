{#-
    For `grace-dbt refresh`: one query over each operational table that says how many rows it has and the sum of their hashes,
    as one JSON line on the log. Landing keeps the hash of every row, so equal sums mean that nothing is to be landed.
-#}
{% macro print_landing_probe(tables) %}
    {% set queries = {} %}
    {% for component, table in landed_tables() if table in tables %}
        {% set node = declared_table(table) %}
        {% set relation = source(component, table) %}
        {% set present = present_columns(relation) %}
        {% do queries.update({table:
            'select count(*), coalesce(sum(' ~ row_hash(node) ~ '), 0) from (' ~ rows_as_text(relation, landed_columns(node), present) ~ ')'
        }) %}
    {% endfor %}
    {{ print('landing-probe ' ~ tojson(queries)) }}
{% endmacro %}
