{#-
    Grain: one day (UTC) and suite; benchmarks without a readable time stand on the day of NULLs. Runs without a
    golden run to compare with have no drift score and are left out of its mean.
-#}
with benchmarks as (
    select * from {{ ref('fact_benchmark_runs') }}
),

minutes as (
    select * from {{ ref('dim_time') }}
),

final as (
    select
        minutes.year,
        minutes.month,
        minutes.day,
        benchmarks.benchmark_type,

        count(*) as total_runs,
        count(case when benchmarks.has_passed then 1 end) as passed_runs,
        count(case when benchmarks.drift_detected then 1 end) as drifted_runs,
        sum(benchmarks.drift_score) as drift_score_sum,
        count(benchmarks.drift_score) as drift_score_count,
        avg(benchmarks.drift_score) as avg_drift_score,
        max(benchmarks.drift_score) as max_drift_score
    from benchmarks
    inner join minutes on minutes.time_key = benchmarks.time_key
    group by minutes.year, minutes.month, minutes.day, benchmarks.benchmark_type
)

select * from final
