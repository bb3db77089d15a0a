-- The floor: what a full build of fact_verification_executions costs when nothing is kept, compared or published.
-- One statement over the attached file, written by hand from docs/cube.md; the tests hold it against what is published.
-- It knows missions and components by their first version alone, and reads the spellings that `simulate` writes.
insert into fact_verification_executions
with policies as (
    select
        tier_code,
        cast('0x' || left(md5(
            length(tier_code) || ':' || tier_code || '26:' || strftime(cast(policy_date as timestamp), '%Y-%m-%d %H:%M:%S.%f')
        ), 15) as bigint) as tier_key
    from read_csv('{reference}/tiers.csv', all_varchar = true)
),

components as (
    select
        component_name,
        cast('0x' || left(md5(
            length(component_name) || ':' || component_name || '26:1900-01-01 00:00:00.000000'
        ), 15) as bigint) as component_key
    from read_csv('{reference}/components.csv', all_varchar = true)
),

spellings as (
    select * from read_csv('{reference}/actor_spellings.csv', all_varchar = true)
),

missions as (
    select
        mission_id,
        cast('0x' || left(md5(
            length(mission_id) || ':' || mission_id || '26:1900-01-01 00:00:00.000000'
        ), 15) as bigint) as mission_key
    from grace.mission_timelines
),

newest_benchmarks as (
    select
        case when starts_with(triggered_by, 'contract:') then substr(triggered_by, 10) else triggered_by end as contract_id,
        arg_max(
            {
                'run_id': run_id,
                'passed': passed = '1',
                'drift_detected': drift_detected = '1',
                'drift_score': list_max(list_transform(
                    json_extract(delta_from_baseline, '$.*'), lambda member: abs(cast(member as double))
                ))
            },
            created_at || ' ' || run_id
        ) as run
    from grace.benchmark_runs
    where triggered_by is not null
    group by all
),

contracts as (
    select
        id,
        action_type,
        playbook_id,
        nullif(tier, '') as tier,
        status,
        triggered_by,
        safe_hold_snapshot_id,
        cast(confidence_score as double) as confidence_score,
        coalesce(
            json_extract_string(verification_result, '$.error'), json_extract_string(actual_effect, '$.error')
        ) as error_message,
        cast(created_at as timestamp) as created_at,
        cast(executed_at as timestamp) as executed_at,
        cast(verified_at as timestamp) as verified_at,
        case when contains(triggered_by, ':') then split_part(triggered_by, ':', 1) end as prefix
    from grace.action_contracts
),

attributed as (
    select
        contracts.*,
        case when lower(contracts.prefix) = 'mission' then substr(contracts.triggered_by, 9) end as mission_id,
        spellings.component_name,
        case
            when contracts.triggered_by = 'unknown' then null
            when spellings.names_actor = '0' then spellings.prefix
            else contracts.triggered_by
        end as actor_id
    from contracts
    left join spellings
        on
            spellings.prefix = lower(coalesce(contracts.prefix, contracts.triggered_by))
            and (contracts.prefix is not null or spellings.names_actor = '0')
)

select
    cast('0x' || left(md5(length(attributed.id) || ':' || attributed.id), 15) as bigint) as execution_key,
    coalesce(cast(strftime(attributed.created_at, '%Y%m%d%H%M') as bigint), -1) as time_key,
    coalesce(missions.mission_key, -1) as mission_key,
    coalesce(components.component_key, -1) as component_key,
    coalesce(policies.tier_key, -1) as tier_key,
    coalesce(
        cast('0x' || left(md5(length(attributed.actor_id) || ':' || attributed.actor_id), 15) as bigint), -1
    ) as actor_key,
    attributed.id as contract_id,
    attributed.action_type,
    attributed.playbook_id,
    attributed.mission_id,
    attributed.tier as tier_code,
    attributed.safe_hold_snapshot_id as snapshot_id,
    newest_benchmarks.run.run_id as benchmark_run_id,
    (epoch_us(attributed.verified_at) - epoch_us(attributed.created_at)) / 1000000.0 as duration_seconds,
    attributed.confidence_score,
    newest_benchmarks.run.drift_score as drift_score,
    coalesce(attributed.status = 'verified', false) as was_successful,
    coalesce(attributed.status = 'rolled_back', false) as was_rolled_back,
    attributed.safe_hold_snapshot_id is not null as created_snapshot,
    newest_benchmarks.run.passed as passed_benchmark,
    newest_benchmarks.run.drift_detected as drift_detected,
    attributed.status as contract_status,
    attributed.error_message,
    attributed.created_at,
    attributed.executed_at,
    attributed.verified_at
from attributed
left join missions on missions.mission_id = attributed.mission_id
left join components on components.component_name = coalesce(attributed.component_name, 'action_executor')
left join policies on policies.tier_code = attributed.tier
left join newest_benchmarks on newest_benchmarks.contract_id = attributed.id
