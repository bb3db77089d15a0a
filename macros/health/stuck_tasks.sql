{#- Tasks of one table that have been running for over an hour by the run's clock. -#}
{% macro stuck_tasks(relation) %}
{% set tasks = stored_text(relation, ['task_id', 'status', 'started_at']) %}
{% call when_present([tasks]) %}
select
    'no task runs for over an hour' as rule,
    task_id as row_key,
    '{{ relation.identifier }}: running since ' || started_at as found
from ({{ tasks }}) as tasks
where status = 'running' and ({{ read_timestamp('started_at') }}) < {{ hour_before_run() }}
{% endcall %}
{% endmacro %}

{#- The moment an hour before the run's clock. -#}
{% macro hour_before_run() %}
    {% set moment = run_started_at - modules.datetime.timedelta(hours=1) %}
    {{ return(timestamp_literal(moment.strftime('%Y-%m-%d %H:%M:%S.%f'))) }}
{% endmacro %}
