{#-
    Grain: one type of mission, tier, name of the tier and status. A mission counts once under every tier that it has
    executions in, and under unknown without any: types and statuses add up, tiers don't.
-#}
with missions as (
    select * from {{ ref('fact_mission_progress') }}
),

executions as (
    select * from {{ ref('fact_verification_executions') }}
),

tiers as (
    select * from {{ ref('dim_tier') }}
),

-- Two wordings of a policy under one name are one tier here.
executed as (
    select
        executions.mission_id,
        tiers.tier_code,
        tiers.tier_name,
        count(*) as executions,
        sum(executions.confidence_score) as confidence_sum,
        count(executions.confidence_score) as confidence_count
    from executions
    inner join tiers on tiers.tier_key = executions.tier_key
    where executions.mission_id is not null
    group by executions.mission_id, tiers.tier_code, tiers.tier_name
),

unknown_tier as (
    select
        tier_code,
        tier_name
    from tiers
    where tier_key = {{ unknown_key() }}
),

tiered as (
    select
        missions.mission_type,
        coalesce(executed.tier_code, unknown_tier.tier_code) as tier_code,
        coalesce(executed.tier_name, unknown_tier.tier_name) as tier_name,
        missions.final_status,
        missions.was_successful,
        missions.progress_ratio,
        missions.planned_actions,
        missions.completed_actions,
        missions.failed_actions,
        missions.rolled_back_actions,
        coalesce(executed.executions, 0) as executions,
        executed.confidence_sum,
        coalesce(executed.confidence_count, 0) as confidence_count
    from missions
    left join executed on executed.mission_id = missions.mission_id
    cross join unknown_tier
),

final as (
    select
        mission_type,
        tier_code,
        tier_name,
        final_status,

        count(*) as total_missions,
        count(case when was_successful then 1 end) as successful_missions,
        sum(progress_ratio) as progress_sum,
        count(progress_ratio) as progress_count,
        avg(progress_ratio) as avg_progress,
        cast(sum(planned_actions) as {{ dbt.type_bigint() }}) as planned_actions,
        cast(sum(completed_actions) as {{ dbt.type_bigint() }}) as completed_actions,
        cast(sum(failed_actions) as {{ dbt.type_bigint() }}) as failed_actions,
        cast(sum(rolled_back_actions) as {{ dbt.type_bigint() }}) as rolled_back_actions,
        cast(sum(executions) as {{ dbt.type_bigint() }}) as total_executions,
        sum(confidence_sum) as confidence_sum,
        cast(sum(confidence_count) as {{ dbt.type_bigint() }}) as confidence_count,
        sum(confidence_sum) / nullif(sum(confidence_count), 0) as avg_confidence
    from tiered
    group by mission_type, tier_code, tier_name, final_status
)

select * from final
