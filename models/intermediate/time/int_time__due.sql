{#-
    Grain: a single row, when the cube next changes although no row of Grace does: a time that lies too far ahead enters the accepted
    span, or a wording of a tier's policy begins or ends. A table, because it tells of the run that made it.
-#}
{{ config(materialized='table') }}

{%- set run = run_clock() %}

with tiers as (
    select * from {{ ref('dim_tier') }}
),

moments as (
    select min(effective_from) as moment
    from tiers
    where effective_from > {{ run }}

    union all

    select min(effective_to) as moment
    from tiers
    where effective_to > {{ run }}
    {% for table in flagged_tables() %}
    {% for name in declared_times(table) %}

    union all

    {{ next_to_enter_the_span(ref('land_' ~ table), name) }}
    {% endfor %}
    {% endfor %}
),

final as (
    select min(moment) as due_at from moments
)

select * from final
