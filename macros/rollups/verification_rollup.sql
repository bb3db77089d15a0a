{#-
    Executions in one grain of time, cut by one slice. Each execution counts once, in the hour or day of its creation and
    under the member that its stamped key names. Sums and counts stand beside each average, because an average of averages
    would be wrong.
-#}
{% macro verification_rollup(grain, slice) %}
    {% set grains = {'daily': ['year', 'month', 'day'], 'hourly': ['year', 'month', 'day', 'hour']} %}
    {% set slices = {
        'tier': {'dimension': 'dim_tier', 'columns': ['members.tier_code', 'members.tier_name']},
        'component': {'dimension': 'dim_component', 'columns': ['members.component_name']},
        'action_type': {'dimension': none, 'columns': ['executions.action_type']},
    } %}
    {{ one_of('grain', grain, grains) }}
    {{ one_of('slice', slice, slices) }}
    {% set dimension = slices[slice].dimension %}
    {% set columns = slices[slice].columns %}
    {% for part in grains[grain] | reverse %}
        {% do columns.insert(0, 'minutes.' ~ part) %}
    {% endfor %}
    select
        {{ columns | join(', ') }},

        count(*) as total_executions,
        count(case when executions.was_successful then 1 end) as successful_executions,
        count(case when executions.contract_status = 'failed' then 1 end) as failed_executions,
        count(case when executions.was_rolled_back then 1 end) as rollbacks,
        count(case when executions.contract_status = 'partial_success' then 1 end) as partial_executions,
        count(
            case
                when executions.contract_status in ('verified', 'failed', 'rolled_back', 'partial_success') then null
                else 1
            end
        ) as open_executions,

        avg(executions.confidence_score) as avg_confidence,
        sum(executions.confidence_score) as confidence_sum,
        count(executions.confidence_score) as confidence_count,
        avg(executions.duration_seconds) as avg_duration_seconds,
        sum(executions.duration_seconds) as duration_seconds_sum,
        count(executions.duration_seconds) as duration_count
    from {{ ref('fact_verification_executions') }} as executions
    inner join {{ ref('dim_time') }} as minutes on minutes.time_key = executions.time_key
    {% if dimension %}
    inner join {{ ref(dimension) }} as members on members.{{ slice }}_key = executions.{{ slice }}_key
    {% endif %}
    group by {{ columns | join(', ') }}
{% endmacro %}

{#- Stops with the accepted values where an argument is none of them. -#}
{% macro one_of(argument, value, accepted) %}
    {% if value not in accepted %}
        {{ exceptions.raise_compiler_error(argument ~ " is '" ~ value ~ "'; accepted are " ~ accepted | join(', ')) }}
    {% endif %}
{% endmacro %}
