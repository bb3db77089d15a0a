{#-
    Grain: one reading of the ingress kernel. Natural id: reading_type and reading_id. Throughput, errors and latency are what the
    pipeline sampled of itself; trust is told of each record, not as the mean that a sample repeats.
-#}
{{ config(unique_key='reading_key') }}

with samples as (
    select * from {{ ref('stg_ingress__processing_metrics') }}
),

records as (
    select * from {{ ref('stg_ingress__silver_records') }}
),

readings as (
    select
        'processing_metrics' as reading_type,
        sample_id as reading_id,
        source_id,
        stage,
        cast(null as {{ dbt.type_string() }}) as contract,
        throughput_rps,
        error_rate,
        latency_ms,
        cast(null as double precision) as trust_score,
        created_at
    from samples

    union all

    select
        'silver_records' as reading_type,
        silver_id as reading_id,
        source_id,
        null as stage,
        contract,
        null as throughput_rps,
        null as error_rate,
        null as latency_ms,
        trust_score,
        created_at
    from records
),

final as (
    select
        {{ surrogate_key(['reading_type', 'reading_id']) }} as reading_key,
        {{ time_key('created_at') }} as time_key,

        reading_type,
        reading_id,
        source_id,
        stage,
        contract,

        throughput_rps,
        error_rate,
        latency_ms,
        trust_score,

        created_at
    from readings
)

select * from final
