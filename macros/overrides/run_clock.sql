{#- One clock a run: every version that a run opens or closes carries the moment the run began. -#}
{% macro run_clock() %}
    {{ return(timestamp_literal(var('run_started_at', none) or run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f'))) }}
{% endmacro %}

{% macro default__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}

{% macro duckdb__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}

{% macro postgres__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}
