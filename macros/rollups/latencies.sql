{#-
    The latencies that have a histogram: name, the fact and its column of seconds, and whether a tier is stamped there. One more
    needs an entry here, and its sum in the test `agrees_with_fact` of cube_latency_histogram.
-#}
{% macro latencies() %}
    {{ return([
        {'measure': 'verification_duration', 'fact': 'fact_verification_executions', 'seconds': 'duration_seconds', 'has_tier': true},
    ]) }}
{% endmacro %}
