{#-
    Grain: one reading of the learning kernel, which is one check of a data set. Natural id: reading_type and reading_id. What single
    labels agree on is not taken besides: a check has the mean of them.
-#}
{{ config(unique_key='reading_key') }}

with reports as (
    select
        *,
        'quality_reports' as reading_type
    from {{ ref('stg_learning__quality_reports') }}
),

final as (
    select
        {{ surrogate_key(['reading_type', 'report_id']) }} as reading_key,
        {{ time_key('created_at') }} as time_key,

        reading_type,
        report_id as reading_id,
        dataset_id,
        dataset_version,

        label_agreement,
        drift_psi,
        coverage_ratio,

        created_at
    from reports
)

select * from final
