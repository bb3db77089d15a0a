{#-
    Grain: one reading of the intelligence kernel. Natural id: reading_type and reading_id. Task, segment and environment are those
    of the request that a reading belongs to.

    A case is told once: the gap between groups is what the answer says, and what a violation says only where the answer to the
    same request says nothing.
-#}
{{ config(unique_key='reading_key') }}

with requests as (
    select * from {{ ref('stg_intelligence__intel_requests') }}
),

results as (
    select * from {{ ref('stg_intelligence__intel_results') }}
),

reports as (
    select * from {{ ref('stg_intelligence__intel_specialist_reports') }}
),

violations as (
    select * from {{ ref('stg_intelligence__intel_policy_violations') }}
),

readings as (
    select
        'intel_results' as reading_type,
        request_id as reading_id,
        request_id,
        cast(null as {{ dbt.type_string() }}) as specialist_name,
        cast(null as {{ dbt.type_string() }}) as model_key,
        cast(null as {{ dbt.type_string() }}) as violation_type,
        latency_ms,
        cast(null as {{ dbt.type_bigint() }}) as specialist_latency_ms,
        confidence,
        calibration,
        fairness_delta,
        was_successful,
        created_at
    from results

    union all

    select
        'intel_specialist_reports' as reading_type,
        report_id as reading_id,
        request_id,
        specialist_name,
        model_key,
        null as violation_type,
        null as latency_ms,
        latency_ms as specialist_latency_ms,
        null as confidence,
        null as calibration,
        null as fairness_delta,
        was_successful,
        created_at
    from reports

    union all

    select
        'intel_policy_violations' as reading_type,
        violations.violation_id as reading_id,
        violations.request_id,
        null as specialist_name,
        null as model_key,
        violations.violation_type,
        null as latency_ms,
        null as specialist_latency_ms,
        null as confidence,
        null as calibration,
        case
            when violations.violation_type in ('fairness', 'fairness_delta') and results.fairness_delta is null
                then violations.actual_value
        end as fairness_delta,
        null as was_successful,
        violations.created_at
    from violations
    left join results on results.request_id = violations.request_id
),

final as (
    select
        {{ surrogate_key(['readings.reading_type', 'readings.reading_id']) }} as reading_key,
        {{ time_key('readings.created_at') }} as time_key,

        readings.reading_type,
        readings.reading_id,
        readings.request_id,
        requests.task,
        requests.segment,
        requests.environment,
        readings.specialist_name,
        readings.model_key,
        readings.violation_type,

        readings.latency_ms,
        case
            when readings.reading_type = 'intel_results'
                then {{ seconds_between('requests.created_at', 'readings.created_at') }}
        end as response_seconds,
        readings.specialist_latency_ms,
        readings.confidence,
        readings.calibration,
        readings.fairness_delta,

        readings.was_successful,

        readings.created_at
    from readings
    left join requests on requests.request_id = readings.request_id
)

select * from final
