{#-
    Grain: one latency, day (UTC) and tier. Percentiles of days can't be averaged: for a longer time, sum the histogram and read
    them from there.
-#}
with histogram as (
    select * from {{ ref('cube_latency_histogram') }}
),

counted as (
    select
        *,
        sum(observations) over (
            partition by measure, year, month, day, tier_code
            order by bucket_seconds
            rows between unbounded preceding and current row
        ) as running_count,
        sum(observations) over (partition by measure, year, month, day, tier_code) as total
    from histogram
),

final as (
    select
        measure,
        year,
        month,
        day,
        tier_code,

        cast(sum(observations) as {{ dbt.type_bigint() }}) as observations,
        {{ percentile(50, 'bucket_seconds', 'running_count', 'total') }} as p50_seconds,
        {{ percentile(90, 'bucket_seconds', 'running_count', 'total') }} as p90_seconds,
        {{ percentile(95, 'bucket_seconds', 'running_count', 'total') }} as p95_seconds,
        {{ percentile(99, 'bucket_seconds', 'running_count', 'total') }} as p99_seconds,
        cast(0.05 as double precision) as relative_error
    from counted
    group by measure, year, month, day, tier_code
)

select * from final
