with source as (
    {{ landed(ref('land_processing_metrics')) }}
),

final as (
    select
        id as sample_id,
        nullif({{ trimmed('source_id') }}, '') as source_id,
        nullif({{ trimmed('stage') }}, '') as stage,
        {{ read_real('throughput_rps') }} as throughput_rps,
        {{ read_real('error_rate') }} as error_rate,
        {{ read_real('avg_latency_ms') }} as latency_ms,
        {{ read_timestamp('timestamp') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
