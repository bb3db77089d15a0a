{#-
    For `grace-dbt health`: what every check finds in the live database, as one JSON line on the log. Of a check with many
    rows the first `limit` are printed, and how many there are.
-#}
{% macro print_health(limit) %}
    {% set checks = {} %}
    {% for name, queries in health_queries().items() %}
        {% do checks.update({name: health_findings(queries, limit)}) %}
    {% endfor %}
    {% set ages = [] %}
    {% for node in watched_tables() %}
        {% do ages.append(table_age(node)) %}
    {% endfor %}
    {% set tables = [] %}
    {% for row in run_query(in_one_query(ages)).rows %}
        {% do tables.append({
            'component': row['component'], 'table': row['source_table'], 'newest_at': row['newest_at'].isoformat(),
            'age_seconds': row['age_seconds'] | float, 'allowed_seconds': row['allowed_seconds'] | int
        }) %}
    {% endfor %}
    {{ print('health ' ~ tojson({'checks': checks, 'tables': tables})) }}
{% endmacro %}

{#- The queries of each check, every one with the columns rule, row_key, found. -#}
{% macro health_queries() %}
    {% set orphaned, critical = [], [] %}
    {% for node in declared_tables() %}
        {% for foreign in foreign_keys(node) %}
            {% do orphaned.append(orphans(node, foreign)) %}
        {% endfor %}
    {% endfor %}
    {% for node in rated_tables() %}
        {% do critical.append(open_criticals(node)) %}
    {% endfor %}
    {{ return({
        'orphans': orphaned,
        'stuck_tasks': [
            stuck_tasks(declared_relation(declared_table('orchestration_tasks'))),
            stuck_tasks(declared_relation(declared_table('execution_tasks')))
        ],
        'error_rates': [high_error_rates(declared_relation(declared_table('processing_metrics')))],
        'circuit_breakers': [tripped_breakers(declared_relation(declared_table('circuit_breakers')))],
        'criticals': critical,
        'dead_letters': [dead_letters(declared_relation(declared_table('dlq_entries')))]
    }) }}
{% endmacro %}

{#- The rows of one check, and their number; not by count(*) over (), which now and then fails in DuckDB 1.5.5 on few rows. -#}
{% macro health_findings(queries, limit) %}
    {% set rows = run_query(
        'with findings as (' ~ in_one_query(queries) ~ ') select row_key, found, (select count(*) from findings) as total'
        ~ ' from findings order by row_key limit ' ~ limit
    ).rows %}
    {% set found = [] %}
    {% for row in rows %}
        {% do found.append({'subject': row['row_key'], 'found': row['found']}) %}
    {% endfor %}
    {{ return({'total': rows[0]['total'] | int if rows else 0, 'rows': found}) }}
{% endmacro %}

{% macro in_one_query(queries) %}
    {% set parts = [] %}
    {% for query in queries %}
        {% do parts.append('select * from (' ~ query ~ ') as part') %}
    {% endfor %}
    {{ return(parts | join('\nunion all\n')) }}
{% endmacro %}

{#- The relation of a declared table, without an edge to it. -#}
{% macro declared_relation(node) %}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.identifier)) }}
{% endmacro %}
