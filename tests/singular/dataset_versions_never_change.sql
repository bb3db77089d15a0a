{{ config(severity='warn') }}

{% set dataset_versions = stored_text(
    operational('learning', 'dataset_versions'),
    ['version_id', 'dataset_id', 'version', 'lineage_hash']
) %}

-- Rows show a change where a version was published again beside itself; older databases lack the
-- unique index that forbids it. A row that was changed in place is caught by its hash in landing.
{% call when_present([dataset_versions]) %}
with

dataset_versions as (
    {{ dataset_versions }}
),

published as (
    select
        dataset_id,
        version,
        count(*) as times,
        count(distinct coalesce(lineage_hash, '')) as lineages
    from dataset_versions
    group by dataset_id, version
    having count(*) > 1
),

final as (
    select
        case
            when published.lineages > 1 then 'a dataset version has one lineage for ever'
            else 'a dataset version is published once'
        end as rule,
        dataset_versions.version_id as row_key,
        published.dataset_id || ' ' || published.version || ', lineage '
        || coalesce(dataset_versions.lineage_hash, 'null') as found
    from dataset_versions
    inner join published
        on
            dataset_versions.dataset_id = published.dataset_id
            and dataset_versions.version = published.version
)

select * from final
{% endcall %}
