{#-
    Where an actor is spelled, as (model, column): the rows of dim_actor come from these. Of errors the actors of signals are
    new, whose records have none; who appears in the log or in an alert counts also where that is no error.
-#}
{% macro spelled_actors() %}
    {{ return([
        ('stg_verification__action_contracts', 'triggered_by'),
        ('stg_verification__benchmark_runs', 'asked_by'),
        ('stg_verification__safe_hold_snapshots', 'triggered_by'),
        ('int_error__events', 'actor'),
        ('stg_error__immutable_log', 'actor'),
        ('stg_error__security_events', 'actor'),
        ('stg_execution__playbook_runs', 'requested_by'),
        ('stg_governance__approval_requests', 'requested_by'),
        ('stg_governance__approval_requests', 'decision_by'),
        ('stg_governance__constitutional_compliance', 'actor'),
        ('stg_shard__execution_tasks', 'submitted_by'),
        ('stg_shard__shard_heartbeats', 'agent_id')
    ]) }}
{% endmacro %}
