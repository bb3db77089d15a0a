{#-
    The entries of a chain at which there is something to tell, numbered: those that do not stand behind an entry whose seal they
    hold, or are not as they were sealed, or lie before it in time; and all that share a place. The others stream past. First
    entries are among them, for nothing stands before them. `placed` is a relation of what `audit_placed` gives.
-#}
{% macro audit_cases(chain, placed) %}
    {% set columns = entry_columns() | join(', ') %}
with segmented as (
    select * from {{ placed }} as placed_entries
),

irregular as (
    select distinct
        {{ columns_of('entry') }},
        entry.segment
    from segmented as entry
    left join segmented as before
        on {{ 'before.segment = entry.segment and' if chain.begins_anew }} before.position = entry.position - 1
    where
        before.position is null
        or before.seal <> entry.previous
        or before.occurred_at > entry.occurred_at
        or entry.content is not null
        or entry.trouble is not null
),

shared_places as (
    select segment, position
    from segmented
    where position is not null
    group by segment, position
    having count(*) > 1
),

every_case as (
    select
        {{ columns_of('irregular') }},
        irregular.segment
    from irregular
    left join shared_places on shared_places.segment = irregular.segment and shared_places.position = irregular.position
    where shared_places.position is null

    union all

    select
        {{ columns_of('other') }},
        other.segment
    from segmented as other
    inner join shared_places on shared_places.segment = other.segment and shared_places.position = other.position
)

select
    '{{ chain.name }}' as chain,
    *,
    row_number() over (order by segment, position, seal, entry_id) as number
from every_case
{% endmacro %}

{#- What `sealed_entries` gives of each entry. -#}
{% macro entry_columns() %}
    {{ return(['entry_id', 'position', 'seal', 'previous', 'occurred_at', 'content', 'resealed', 'rebuilt', 'trouble']) }}
{% endmacro %}

{% macro columns_of(relation) %}{{ return(relation ~ '.' ~ entry_columns() | join(', ' ~ relation ~ '.')) }}{% endmacro %}
