{#-
    Grain: one column of one source row that could not be read, with one reason. A finding is resolved when the row reads,
    or is gone; it is kept, so that the history of bad input stays.
-#}
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='quarantine_key') }}

{%- set run = run_clock() %}

with findings as (
    {{ quarantine_findings() }}
),

keyed as (
    select
        {{ surrogate_key(['source_table', 'row_key', 'column_name', 'reason']) }} as quarantine_key,
        source_table,
        {{ text_after('row_key', '=') }} as row_key,
        column_name,
        reason,
        masked_value
    from findings
){% if is_incremental() %},

known as (
    select * from {{ this }}
),

final as (
    select
        keyed.*,
        coalesce(known.first_run_at, {{ run }}) as first_run_at,
        {{ run }} as last_run_at,
        {{ null_timestamp() }} as resolved_at
    from keyed
    left join known on known.quarantine_key = keyed.quarantine_key

    union all

    select
        known.quarantine_key,
        known.source_table,
        known.row_key,
        known.column_name,
        known.reason,
        known.masked_value,
        known.first_run_at,
        known.last_run_at,
        {{ run }} as resolved_at
    from known
    left join keyed on keyed.quarantine_key = known.quarantine_key
    where keyed.quarantine_key is null and known.resolved_at is null
){% else %},

final as (
    select
        *,
        {{ run }} as first_run_at,
        {{ run }} as last_run_at,
        {{ null_timestamp() }} as resolved_at
    from keyed
){% endif %}

select * from final
