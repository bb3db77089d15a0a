{#- One clock a run: every version that a run opens or closes carries the moment the run began. -#}
{% macro run_clock() %}
    {{ return(timestamp_literal(run_moment().strftime('%Y-%m-%d %H:%M:%S.%f'))) }}
{% endmacro %}

{#- A refresh may take several invocations of dbt; what they share is the moment that it hands over. -#}
{% macro run_moment() %}
    {{ return(utc_moment(var('run_started_at')) if var('run_started_at', none) else run_started_at.replace(tzinfo=none)) }}
{% endmacro %}

{#- ISO 8601 as a moment in UTC, which it is without an offset. -#}
{% macro utc_moment(text) %}
    {% set moment = modules.datetime.datetime.fromisoformat(text) %}
    {{ return((moment.astimezone(modules.pytz.utc) if moment.tzinfo else moment).replace(tzinfo=none)) }}
{% endmacro %}

{% macro default__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}

{% macro duckdb__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}

{% macro postgres__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}
