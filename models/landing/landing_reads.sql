{#- Grain: one landed table. Empty as made: each landing model keeps its own row, which it changes when it has read. -#}
{{ config(unique_key='source_table') }}

select
    cast(null as {{ dbt.type_string() }}) as source_table,
    cast(null as {{ dbt.type_string() }}) as read_mode,
    {{ null_timestamp() }} as exact_at,
    cast(null as {{ dbt.type_bigint() }}) as rows_there,
    {{ null_timestamp() }} as newest_at
where 1 = 0
