{#- The operational tables that have a landing model, as (component, table). -#}
{% macro landed_tables() %}
    {{ return([
        ('core', 'audit_logs'),
        ('core', 'chain_verification'),
        ('core', 'governance_decisions'),
        ('error', 'agentic_insights'),
        ('error', 'immutable_log'),
        ('error', 'security_events'),
        ('execution', 'healing_actions'),
        ('execution', 'playbook_runs'),
        ('execution', 'playbook_step_runs'),
        ('governance', 'approval_requests'),
        ('governance', 'constitutional_compliance'),
        ('governance', 'governance_votes'),
        ('ingress', 'bronze_raw_events'),
        ('ingress', 'processing_metrics'),
        ('ingress', 'silver_records'),
        ('intelligence', 'intel_policy_violations'),
        ('intelligence', 'intel_requests'),
        ('intelligence', 'intel_results'),
        ('intelligence', 'intel_specialist_reports'),
        ('learning', 'dataset_versions'),
        ('learning', 'quality_reports'),
        ('memory', 'fusion_memory'),
        ('memory', 'memory_access_patterns'),
        ('memory', 'memory_operations'),
        ('orchestration', 'orchestration_loops'),
        ('orchestration', 'orchestration_tasks'),
        ('resilience', 'active_degradations'),
        ('resilience', 'circuit_breakers'),
        ('resilience', 'sli_measurements'),
        ('shard', 'execution_tasks'),
        ('shard', 'shard_heartbeats'),
        ('verification', 'action_contracts'),
        ('verification', 'benchmark_runs'),
        ('verification', 'mission_timelines'),
        ('verification', 'safe_hold_snapshots')
    ]) }}
{% endmacro %}

{#- The names of tables in the operational schema, by one look at the catalogue: no edge to sources, which only landing reads. -#}
{% macro tables_there() %}
    {% if not execute %}{{ return([]) }}{% endif %}
    {% set node = declared_table(landed_tables()[0][1]) %}
    {% set found = list_relations_without_caching(api.Relation.create(database=node.database, schema=node.schema)) %}
    {{ return(found.columns['name'].values() | map('lower') | list) }}
{% endmacro %}

{#-
    One row about one landing model: rows there now, and rows that the run at `run` found new, changed or gone. `there` is what
    tables_there found. With var `changes_since`, what earlier runs found after that moment counts as well: they landed it and
    published nothing.
-#}
{% macro landing_changes(component, table, landing, run, there) %}
    {% set is_there = table in there %}
    {% set since = timestamp_literal(var('changes_since')) if var('changes_since') else none %}
    {% set is_changed = '_changed_at > ' ~ since if since else '_changed_at = ' ~ run %}
    {% set is_new = '_first_seen_at > ' ~ since if since else '_first_seen_at = ' ~ run %}
    select
        '{{ component }}' as component,
        '{{ table }}' as source_table,
        {{ truth(not is_there) }} as is_missing,
        {{ 'count(case when not _is_deleted then 1 end)' if is_there else '0' }} as rows_read,
        count(case when {{ is_changed }} and {{ is_new }} and not _is_deleted then 1 end) as rows_inserted,
        count(case when {{ is_changed }} and not {{ is_new }} and not _is_deleted then 1 end) as rows_updated,
        count(case when {{ is_changed }} and _is_deleted then 1 end) as rows_deleted,
        max(case when not _is_deleted and {{ is_in_span('_occurred_at') }} then _occurred_at end) as newest_at
    from {{ landing }}
{% endmacro %}
