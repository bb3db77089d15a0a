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
    has a row. Somebody's rows are never mixed with ours; a second build finds the first one's rows and adds none.
-#}
{% materialization sample_rows, default %}
    {% set tables = declared_tables() %}
    {% set probes = [] %}
    {% for node in tables %}
        {% do probes.append("select '" ~ node.name ~ "' as table_name where exists (select 1 from " ~ node.relation_name ~ ')') %}
    {% endfor %}
    {% set occupied = run_query(probes | join('\nunion all\n')).columns[0].values() %}
    {{ run_hooks(pre_hooks) }}
    {% if occupied %}
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
