{#-
    What is wrong with a chain, a row a finding: each of its cases is told by what its neighbours hold. `entries`, `placed` and
    `cases` are relations of what `sealed_entries`, `audit_placed` and `audit_cases` give.
-#}
{% macro audit_findings(chain, entries, placed, cases) %}
    {% set none_text = 'cast(null as ' ~ dbt.type_string() ~ ')' %}
    {% set columns = entry_columns() | join(', ') %}
    {% set most_moved = 100 %}{#- So many misplaced entries are tried at each other's places. -#}
with segmented as (
    select * from {{ placed }} as placed_entries
),

cases as (
    select
        {{ columns }},
        segment,
        number
    from {{ cases }}
    where chain = '{{ chain.name }}'
),

shared_places as (
    select segment, position
    from cases
    group by segment, position
    having count(*) > 1
),

befores as (
    select
        cases.number,
        min(other.seal) as seal,
        max(other.occurred_at) as occurred_at,
        max(case when other.seal = cases.previous then 1 else 0 end) as is_linked,
        max(case when other.resealed = cases.previous then 1 else 0 end) as was_linked
    from cases
    inner join segmented as other on other.segment = cases.segment and other.position = cases.position - 1
    group by cases.number
),

-- Entries before which some are missing; where these begin is asked of the segments that have such entries alone.
behind_gaps as (
    select
        cases.number,
        cases.segment,
        cases.position
    from cases
    left join befores on befores.number = cases.number
    where befores.number is null and cases.position > {{ chain.first }}
),

gapped as (
    select
        segmented.segment,
        segmented.position
    from segmented
    where segmented.segment in (select segment from behind_gaps)
),

ends as (
    select
        entry.segment,
        entry.position
    from gapped as entry
    left join gapped as after on after.segment = entry.segment and after.position = entry.position + 1
    where after.position is null
),

gaps as (
    select
        behind_gaps.number,
        coalesce(max(ends.position), {{ chain.first }} - 1) + 1 as first_missing
    from behind_gaps
    left join ends on ends.segment = behind_gaps.segment and ends.position < behind_gaps.position
    group by behind_gaps.number
),

afters as (
    select
        cases.number,
        max(case when other.previous = cases.seal then 1 else 0 end) as holds_seal,
        max(case when other.previous = cases.resealed then 1 else 0 end) as holds_resealed
    from cases
    inner join segmented as other on other.segment = cases.segment and other.position = cases.position + 1
    group by cases.number
),

-- Places at which an entry that is not as sealed might have been: behind the one that it names, or where another such one is.
candidates as (
    select
        cases.number,
        other.position + 1 as position
    from cases
    inner join segmented as other on other.segment = cases.segment and other.seal = cases.previous
    where cases.resealed is not null

    union all

    select
        number,
        {{ chain.first }} as position
    from cases
    where resealed is not null and previous = '{{ chain.genesis }}'

    union all

    select
        one.number,
        other.position
    from (select * from cases where resealed is not null order by number limit {{ most_moved }}) as one
    inner join (select * from cases where resealed is not null order by number limit {{ most_moved }}) as other
        on other.segment = one.segment and other.number <> one.number
),

moved as (
    select
        cases.number,
        min(candidates.position) as true_position
    from cases
    inner join candidates on candidates.number = cases.number
    where {{ seal_of(chain, 'cases.content', 'cases.previous', 'candidates.position') }} = cases.seal
    group by cases.number
),

linked_to_moved as (
    select distinct cases.number
    from cases
    inner join cases as other on other.segment = cases.segment and other.seal = cases.previous
    inner join moved on moved.number = other.number and moved.true_position = cases.position - 1
),

facts as (
    select
        cases.*,
        befores.seal as seal_before,
        befores.occurred_at as time_before,
        gaps.first_missing,
        coalesce(befores.is_linked, 0) as is_linked,
        coalesce(befores.was_linked, 0) as was_linked,
        coalesce(afters.holds_seal, 0) as holds_seal,
        coalesce(afters.holds_resealed, 0) as holds_resealed,
        moved.true_position,
        case when linked_to_moved.number is null then 0 else 1 end as is_linked_to_moved,
        case when places_before.position is null then 0 else 1 end as goes_on_from_shared,
        row_number() over (
            partition by cases.segment, cases.position
            order by
                case when moved.true_position is null then 0 else 1 end,
                case when cases.trouble is null then 0 else 1 end,
                case when cases.content is null then 0 else 1 end,
                coalesce(befores.is_linked, 0) desc,
                coalesce(afters.holds_seal, 0) desc,
                case when cases.previous = '{{ chain.genesis }}' then 0 else 1 end,
                cases.number
        ) as rank_at_place
    from cases
    left join befores on befores.number = cases.number
    left join afters on afters.number = cases.number
    left join gaps on gaps.number = cases.number
    left join moved on moved.number = cases.number
    left join linked_to_moved on linked_to_moved.number = cases.number
    left join shared_places as places_before
        on places_before.segment = cases.segment and places_before.position = cases.position - 1
),

-- The one entry that stands at its place by right; the others there are told as what they are.
rightful as (
    select *
    from facts
    where rank_at_place = 1 and true_position is null and trouble is null
),

-- What of an entry is not as it was sealed; that of a first entry its own finding tells, if it is the seal before it alone.
not_as_sealed as (
    select
        *,
        case
            when {{ holds_other_seal(chain, 'seal_before') }} then 'link'
            when rebuilt is not null and resealed is not null and {{ seal_of(chain, 'rebuilt', 'previous', 'position') }} = seal
                then 'hash'
            when rebuilt is not null then 'content'
            when holds_resealed = 1 then 'seal'
            {% if chain.name == 'immutable_log' %}
            else 'content and seal'
            {% else %}
            when holds_seal = 1 then 'content and seal'
            else 'seal'
            {% endif %}
        end as what_differs
    from rightful
    where content is not null and not (position = {{ chain.first }} and {{ holds_other_seal(chain, "'" ~ chain.genesis ~ "'") }})
),

findings as (
    select
        cast(null as bigint) as segment,
        position,
        entry_id,
        'unreadable entry' as kind,
        {{ none_text }} as expected,
        trouble as found
    from {{ entries }}
    where trouble is not null and position is null

    union all

    select segment, position, entry_id, 'unreadable entry', {{ none_text }}, trouble
    from facts
    where trouble is not null and true_position is null

    union all

    select segment, position, entry_id, 'reordered', {{ as_text('true_position') }}, {{ as_text('position') }}
    from facts
    where true_position is not null

    union all

    -- Of a fork its first entry is told, not all that follow; a copy with the seal of the rightful entry is none.
    select
        facts.segment,
        facts.position,
        facts.entry_id,
        case
            when facts.content is null and facts.is_linked = 1 and facts.seal <> by_right.seal then 'forked'
            else 'duplicate position'
        end,
        facts.seal_before,
        facts.seal
    from facts
    inner join facts as by_right
        on by_right.segment = facts.segment and by_right.position = facts.position and by_right.rank_at_place = 1
    where
        facts.rank_at_place > 1
        and facts.true_position is null
        and facts.trouble is null
        and not (facts.goes_on_from_shared = 1 and facts.is_linked = 1 and facts.content is null)

    union all

    select segment, position, entry_id, '{{ chain.wrong_origin }}', '{{ chain.genesis }}', previous
    from rightful
    where position = {{ chain.first }} and previous <> '{{ chain.genesis }}'

    union all

    select
        segment,
        first_missing,
        {{ none_text }},
        'gap',
        {{ as_text('first_missing') }} || '..' || {{ as_text('position - 1') }},
        'none'
    from facts
    where true_position is null and first_missing is not null and rank_at_place = 1

    union all

    select
        segment,
        position,
        entry_id,
        case what_differs when 'link' then 'link broken' when 'hash' then 'hash edited' when 'seal' then 'hash edited' else 'content edited' end,
        case what_differs
            when 'link' then seal_before when 'hash' then rebuilt when 'seal' then resealed when 'content' then content else seal
        end,
        case what_differs
            when 'link' then previous when 'hash' then content when 'seal' then seal when 'content' then rebuilt else resealed
        end
    from not_as_sealed

    union all

    select segment, position, entry_id, 'link broken', seal_before, previous
    from rightful
    where
        content is null
        and seal_before is not null
        and is_linked = 0
        and was_linked = 0
        and is_linked_to_moved = 0
        and position > {{ chain.first }}

    union all

    select segment, position, entry_id, 'new segment', {{ none_text }}, seal
    from rightful
    where segment > 1 and position = {{ chain.first }}

    union all

    select segment, position, entry_id, 'time running backwards', {{ as_text('time_before') }}, {{ as_text('occurred_at') }}
    from rightful
    where time_before > occurred_at and content is null
)

select
    '{{ chain.name }}' as chain,
    segment,
    position,
    entry_id,
    kind,
    case when kind in ('new segment', 'time running backwards') then 'warning' else 'broken' end as severity,
    min(expected) as expected,
    min(found) as found
from findings
-- A table whose keys were taken away may hold rows that nobody can tell apart: they are told once.
group by segment, position, entry_id, kind
{% endmacro %}

{#- Whether an entry is as sealed but for the previous seal that it holds, which should be `seal`. -#}
{% macro holds_other_seal(chain, seal) %}
    {{ return('(resealed is not null and ' ~ seal_of(chain, 'content', seal, 'position') ~ ' = seal and ' ~ seal ~ ' <> previous)') }}
{% endmacro %}
