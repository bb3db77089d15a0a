{#-
    Grain: one latency, day (UTC), tier and bucket of seconds. Histograms add up: over days, tiers and months the counts of a
    bucket are summed, and percentiles of the sum are as good as those of a day.
-#}
with observed as (
    {% for latency in latencies() %}
    select
        '{{ latency.measure }}' as measure,
        minutes.year,
        minutes.month,
        minutes.day,
        {{ 'tiers.tier_code' if latency.has_tier else "'unknown'" }} as tier_code,
        {{ latency_bucket('facts.' ~ latency.seconds) }} as bucket_microseconds
    from {{ ref(latency.fact) }} as facts
    inner join {{ ref('dim_time') }} as minutes on minutes.time_key = facts.time_key
    {% if latency.has_tier %}
    inner join {{ ref('dim_tier') }} as tiers on tiers.tier_key = facts.tier_key
    {% endif %}
    where facts.{{ latency.seconds }} is not null
    {% if not loop.last %}

    union all

    {% endif %}
    {% endfor %}
),

final as (
    select
        measure,
        year,
        month,
        day,
        tier_code,
        cast(bucket_microseconds / 1000000.0 as double precision) as bucket_seconds,

        count(*) as observations
    from observed
    group by measure, year, month, day, tier_code, bucket_microseconds
)

select * from final
