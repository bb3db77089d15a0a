{#-
    The latencies that have a histogram: name, the fact and its column of seconds, and whether a tier is stamped there. One more
    needs an entry here, and its count in the tests of cube_latency_histogram.
-#}
{% macro latencies() %}
    {{ return([
        {'measure': 'verification_duration', 'fact': 'fact_verification_executions', 'seconds': 'duration_seconds', 'has_tier': true},
        {'measure': 'approval_decision', 'fact': 'fact_approvals', 'seconds': 'decision_time_seconds', 'has_tier': true},
        {'measure': 'playbook_run', 'fact': 'fact_playbook_runs', 'seconds': 'run_seconds', 'has_tier': true},
        {'measure': 'error_resolution', 'fact': 'fact_error_events', 'seconds': 'resolution_time_seconds', 'has_tier': false},
        {'measure': 'queue_wait', 'fact': 'fact_execution_tasks', 'seconds': 'queue_seconds', 'has_tier': false},
        {'measure': 'task_run', 'fact': 'fact_execution_tasks', 'seconds': 'run_seconds', 'has_tier': false},
    ]) }}
{% endmacro %}
