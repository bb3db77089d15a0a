{#-
    dbt-sqlite's snapshots as shipped close rows on an update only, miss hard deletes, and keep time to the second. These
    bodies close what the staging table says is changed or gone, and stamp microseconds as every timestamp here.
-#}
{% macro sqlite__snapshot_merge_sql(target, source, insert_cols) -%}
    {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
    {%- set open_mark = config.get('dbt_valid_to_current') -%}
    {%- set closed -%}
        select {{ columns.dbt_scd_id }}, {{ columns.dbt_valid_to }} from {{ source }}
        where dbt_change_type in ('update', 'delete')
    {%- endset -%}
    {%- set close_versions %}
        update {{ target }}
        set {{ columns.dbt_valid_to }} = (
            select closed.{{ columns.dbt_valid_to }}
            from ({{ closed }}) as closed
            where closed.{{ columns.dbt_scd_id }} = {{ target.identifier }}.{{ columns.dbt_scd_id }}
        )
        where
            {{ columns.dbt_scd_id }} in (select {{ columns.dbt_scd_id }} from ({{ closed }}))
            and ({{ columns.dbt_valid_to }} is null{% if open_mark %} or {{ columns.dbt_valid_to }} = {{ open_mark }}{% endif %})
    {% endset -%}
    {#- The caller runs the one statement that this returns; closing needs a statement of its own before it. -#}
    {%- do adapter.add_query(close_versions, auto_begin=False) -%}
    insert into {{ target }} ({{ insert_cols | join(', ') }})
    select {{ insert_cols | join(', ') }}
    from {{ source }}
    where dbt_change_type = 'insert'
{%- endmacro %}

{% macro sqlite__snapshot_hash_arguments(args) -%}
    md5({% for arg in args %}coalesce(cast({{ arg }} as text), ''){% if not loop.last %} || '|' || {% endif %}{% endfor %})
{%- endmacro %}

{% macro sqlite__snapshot_get_time() %}{{ return(run_clock()) }}{% endmacro %}

{% macro sqlite__get_columns_in_relation(relation) %}{{ return(adapter.get_columns_in_relation(relation)) }}{% endmacro %}
