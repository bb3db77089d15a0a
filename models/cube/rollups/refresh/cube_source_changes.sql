{#- Grain: one operational table, as the last run found it: what was read, what had changed, what is in quarantine. -#}
{%- set run = run_clock() %}
{%- set there = tables_there() %}
{%- set proven = "'" ~ var('unchanged_tables', []) | join("', '") ~ "'" %}

with changes as (
    {% for component, table in landed_tables() %}
    {{ landing_changes(component, table, ref('land_' ~ table), run, there) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

quarantine as (
    select
        source_table,
        count(*) as quarantined
    from {{ ref('cube_quarantine') }}
    where resolved_at is null
    group by source_table
),

final as (
    select
        changes.*,
        coalesce(quarantine.quarantined, 0) as values_quarantined,
        reads.read_mode,
        case
            when changes.source_table in ({{ proven }}) then {{ run }}
            else reads.exact_at
        end as exact_at,
        {{ run }} as run_at
    from changes
    left join {{ ref('landing_reads') }} as reads on reads.source_table = changes.source_table
    left join quarantine on quarantine.source_table = changes.source_table
)

select * from final
