{#-
    The segments of a chain, a row each, with the verdict by the chain alone; a chain without entries has one empty segment.
    `placed` and `findings` are
    relations of what `audit_placed` and `audit_findings` give.
-#}
{% macro audit_status(chain, placed, findings) %}
with segmented as (
    select * from {{ placed }} as placed_entries
),

segments as (
    select
        segment,
        min(position) as first_position,
        max(position) as last_position,
        count(*) as entries
    from segmented
    group by segment
),

heads as (
    select
        segmented.segment,
        min(segmented.seal) as head_hash
    from segmented
    inner join segments on segments.segment = segmented.segment and segments.last_position = segmented.position
    group by segmented.segment
),

broken as (
    -- An entry that can't be placed counts against the first segment.
    select
        coalesce(segment, 1) as segment,
        count(*) as findings,
        min(position) as first_bad_position
    from {{ findings }}
    where chain = '{{ chain.name }}' and severity = 'broken'
    group by coalesce(segment, 1)
),

every_segment as (
    select segment from segments
    union
    select cast(1 as bigint) as segment
)

select
    '{{ chain.name }}' as chain,
    every_segment.segment,
    segments.first_position,
    segments.last_position,
    coalesce(segments.entries, 0) as entries,
    heads.head_hash,
    case when broken.findings > 0 then 'tampered' else 'intact' end as verdict,
    coalesce(broken.findings, 0) as findings,
    broken.first_bad_position
from every_segment
left join segments on segments.segment = every_segment.segment
left join heads on heads.segment = every_segment.segment
left join broken on broken.segment = every_segment.segment
{% endmacro %}
