{#-
    Grain: one run of `grace-dbt refresh`. The build has no row of it: a run is known as a whole only when it ends, so that the
    publisher fills the table in each snapshot, from the log of runs.
-#}
with final as (
    select
        cast(null as text) as run_id,
        cast(null as text) as command,
        cast(null as text) as mode,
        cast(null as text) as status,
        {{ null_timestamp() }} as started_at,
        {{ null_timestamp() }} as ended_at,
        cast(null as double precision) as duration_seconds,
        cast(null as bigint) as rows_inserted,
        cast(null as bigint) as rows_updated,
        cast(null as bigint) as rows_deleted,
        cast(null as text) as rows_by_model,
        cast(null as text) as watermarks,
        cast(null as text) as error_message,
        cast(null as text) as snapshot
)

select * from final
where 1 = 0
