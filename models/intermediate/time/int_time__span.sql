{#-
    Grain: a single row, the first and last moment that any landed table tells of: what the calendar has to cover. A table, because
    a view would keep the clock of the run that made it.
-#}
{{ config(materialized='table') }}

with spans as (
    {% for _, table in landed_tables() %}
    select
        min(_occurred_at) as first_moment,
        max(_occurred_at) as last_moment
    from {{ ref('land_' ~ table) }}
    where not _is_deleted and {{ is_in_span('_occurred_at') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        min(first_moment) as first_moment,
        max(last_moment) as last_moment
    from spans
)

select * from final
