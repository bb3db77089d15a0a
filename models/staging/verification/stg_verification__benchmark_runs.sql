with source as (
    select *
    from {{ ref('land_benchmark_runs') }}
    where {{ is_landed() }}
),

final as (
    select
        run_id as benchmark_run_id,
        {{ benchmarked_contract('triggered_by') }} as contract_id,
        {{ json_largest_number('delta_from_baseline') }} as drift_score,
        {{ read_boolean('passed') }} as has_passed,
        {{ read_timestamp('created_at') }} as created_at,
        _change_seq
    from source
)

select * from final
