with source as (
    {{ landed(ref('land_quality_reports')) }}
),

final as (
    select
        report_id,
        nullif({{ trimmed('dataset_id') }}, '') as dataset_id,
        nullif({{ trimmed('version') }}, '') as dataset_version,
        {{ read_real('label_agreement') }} as label_agreement,
        {{ read_real('drift_psi') }} as drift_psi,
        {{ read_real('coverage_ratio') }} as coverage_ratio,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
