{#- The operational tables that seeds/sample has rows for. -#}
{% macro sample_tables() %}
    {{ return([
        'action_contracts', 'agentic_insights', 'approval_requests', 'audit_logs', 'benchmark_runs',
        'constitutional_compliance', 'execution_tasks', 'governance_votes', 'healing_actions', 'immutable_log',
        'mission_timelines', 'playbook_runs', 'playbook_step_runs', 'safe_hold_snapshots', 'security_events',
        'shard_heartbeats'
    ]) }}
{% endmacro %}

{#-
    Fills the embedded operational schema with the sample, in one transaction and parents first, if not one of its tables
    has a row. Somebody's rows are never mixed with ours; a second build finds the first one's rows and adds none. Nor is
    there a sample beside a Grace that writes into another schema of the same database.
-#}
{% materialization sample_rows, default %}
    {% set tables = declared_tables() %}
    {% set occupied = occupied_relations(tables | map(attribute='relation_name') | list) %}
    {% set elsewhere = occupied_relations(relations_elsewhere(tables)) %}
    {{ run_hooks(pre_hooks) }}
    {% if elsewhere %}
        {% do exceptions.warn(
            'Grace has rows outside the embedded schema (' ~ elsewhere | join(', ')
            ~ '): no sample; set GRACE_OPERATIONAL_URL to build on them'
        ) %}
    {% elif occupied %}
        {{ log('the operational schema has rows (' ~ occupied | join(', ') ~ '): no sample', info=false) }}
    {% else %}
        {% for node in tables if node.name in sample_tables() %}
            {% call statement(node.name, auto_begin=True) %}
                {{ fill_from_sample(node, ref('sample_' ~ node.name)) }}
            {% endcall %}
        {% endfor %}
    {% endif %}
    {% call statement('main', auto_begin=True) %}
        {{ sql }}
    {% endcall %}
    {% do adapter.commit() %}
    {{ return({'relations': []}) }}
{% endmaterialization %}

{#- Those of the named relations that have a row. -#}
{% macro occupied_relations(names) %}
    {% set probes = [] %}
    {% for name in names %}
        {% do probes.append("select '" ~ name | replace("'", "''") ~ "' as relation_name where exists (select 1 from " ~ name ~ ')') %}
    {% endfor %}
    {{ return(run_query(probes | join('\nunion all\n')).columns[0].values() | list if probes else []) }}
{% endmacro %}

{#- Names of operational tables in the same database, outside the embedded schema. -#}
{% macro relations_elsewhere(tables) %}{{ return(adapter.dispatch('relations_elsewhere', 'grace')(tables)) }}{% endmacro %}

{#- A database of its own holds nothing but the embedded schema. -#}
{% macro default__relations_elsewhere(tables) %}{{ return([]) }}{% endmacro %}

{% macro postgres__relations_elsewhere(tables) %}
    {% set query %}
        select quote_ident(namespaces.nspname) || '.' || quote_ident(relations.relname) as relation_name
        from pg_class as relations
        inner join pg_namespace as namespaces on namespaces.oid = relations.relnamespace
        where
            relations.relname in ('{{ tables | map(attribute='name') | join("', '") }}')
            and relations.relkind in ('r', 'p')
            and namespaces.nspname <> '{{ tables[0].schema }}'
            and namespaces.nspname not like 'pg\_%'
            and has_schema_privilege(namespaces.oid, 'usage')
            and has_table_privilege(relations.oid, 'select')
        order by relation_name
    {% endset %}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}

{% macro fill_from_sample(node, sample) %}
    {% set values = [] %}
    {% for column in node.columns.values() %}
        {% do values.append(sample_value(adapter.quote(column.name), column.data_type)) %}
    {% endfor %}
    insert into {{ node.relation_name }} ({{ quote_names(node.columns, target.type) }})
    select {{ values | join(', ') }} from {{ sample }}
{% endmacro %}

{% macro sample_value(column, logical) %}{{ return(adapter.dispatch('sample_value', 'grace')(column, logical)) }}{% endmacro %}

{% macro default__sample_value(column, logical) %}
    {{ return('cast(' ~ column ~ ' as ' ~ for_dialect('ddl_type', target.type)(logical) ~ ')') }}
{% endmacro %}

{#- A cast to TIMESTAMP would keep the year only; the column's affinity turns '1' into 1 by itself. -#}
{% macro sqlite__sample_value(column, logical) %}{{ return(column) }}{% endmacro %}

{#-
    A time is an instant, which a cast would take from the session's zone. JSON goes through `json`, which becomes `jsonb` by
    itself where the column is one, and stays byte for byte where a hash covers it.
-#}
{% macro postgres__sample_value(column, logical) %}
    {% if logical == 'timestamp' %}{{ return("timezone('UTC', " ~ parse_timestamp(column) ~ ')') }}
    {% elif logical == 'json' %}{{ return('cast(' ~ column ~ ' as json)') }}
    {% endif %}
    {{ return(default__sample_value(column, logical)) }}
{% endmacro %}
