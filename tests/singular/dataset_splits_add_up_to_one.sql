{{ config(severity='warn') }}

{% set dataset_versions = stored_text(
    operational('learning', 'dataset_versions'),
    ['version_id', 'train_split', 'valid_split', 'test_split']
) %}

-- A split that is left out holds no examples; a version without any split was never split.
{% call when_present([dataset_versions]) %}
with

dataset_versions as (
    {{ dataset_versions }}
),

splits as (
    select
        version_id,
        coalesce(train_split, 'null') || ' + ' || coalesce(valid_split, 'null')
        || ' + ' || coalesce(test_split, 'null') as stored_splits,
        coalesce({{ read_real('train_split') }}, 0) + coalesce({{ read_real('valid_split') }}, 0)
        + coalesce({{ read_real('test_split') }}, 0) as total
    from dataset_versions
    where coalesce(train_split, valid_split, test_split) is not null
),

final as (
    select
        'the splits of a dataset version add up to 1' as rule,
        version_id as row_key,
        stored_splits as found
    from splits
    where abs(total - 1) > 0.000001
)

select * from final
{% endcall %}
