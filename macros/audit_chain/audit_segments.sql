{#-
    The entries of a chain that have a place, as a relation with the number of the segment. `segmented` holds those of a chain
    that can have more than one.
-#}
{% macro audit_placed(chain, entries, segmented) %}
    {{ return(segmented if chain.begins_anew else
        '(select *, cast(1 as bigint) as segment from ' ~ entries ~ ' where position is not null)'
    ) }}
{% endmacro %}

{#-
    The entries of a chain that have a place, each with the number of its segment. Only a chain in which positions stand twice
    can have more than one: its entries are followed from seal to seal to where they begin. Where a link is broken an entry
    goes on from the nearest end before it.
-#}
{% macro audit_segments(chain, entries) %}
    {% set columns = entry_columns() | join(', ') %}
with recursive doubled as (
    select *
    from (select count(position) as entries, count(distinct position) as places from {{ entries }}) as counted
    where entries > places
),

numbered as (
    select
        {{ columns }},
        row_number() over (order by position, seal, entry_id) as number
    from {{ entries }}
    where position is not null and exists (select 1 from doubled)
),

linked as (
    select
        entry.number,
        min(before.number) as before_number
    from numbered as entry
    left join numbered as before on before.seal = entry.previous and before.position = entry.position - 1
    group by entry.number
),

ends as (
    select *
    from numbered
    where number not in (select before_number from linked where before_number is not null)
),

loose as (
    select
        entry.number,
        max(before.position) as end_position
    from numbered as entry
    inner join linked on linked.number = entry.number
    inner join ends as before on before.position < entry.position
    where linked.before_number is null and entry.position > {{ chain.first }}
    group by entry.number
),

attached as (
    select
        loose.number,
        min(ends.number) as before_number
    from loose
    inner join ends on ends.position = loose.end_position
    group by loose.number

    union all

    -- A copy of a first entry begins nothing.
    select
        entry.number,
        min(twin.number) as before_number
    from numbered as entry
    inner join numbered as twin on twin.position = entry.position and twin.seal = entry.seal and twin.number < entry.number
    where entry.position = {{ chain.first }}
    group by entry.number
),

steps as (
    select
        linked.number,
        coalesce(linked.before_number, attached.before_number) as before_number
    from linked
    left join attached on attached.number = linked.number
),

{{ audit_origins() }},

beginnings as (
    select
        numbered.number,
        row_number() over (
            order by case when numbered.occurred_at is null then 1 else 0 end, numbered.occurred_at, numbered.number
        ) as segment
    from numbered
    inner join origins on origins.number = numbered.number and origins.origin = numbered.number
),

segmented as (
    select
        {{ columns }},
        cast(1 as bigint) as segment
    from {{ entries }}
    where position is not null and not exists (select 1 from doubled)

    union all

    select
        {{ columns }},
        beginnings.segment
    from numbered
    inner join origins on origins.number = numbered.number
    inner join beginnings on beginnings.number = origins.origin
)

select * from segmented
{% endmacro %}

{#- From `steps`, each entry and the one before it, `origins`: each entry and the one that it goes back to. -#}
{% macro audit_origins() %}{{ return(adapter.dispatch('audit_origins', 'grace')()) }}{% endmacro %}

{#- By jumps that double, 2^26 entries far: a recursive query would look at all entries for each step. -#}
{% macro default__audit_origins() %}
    {% set jumps = ['jump_0 as (select number, coalesce(before_number, number) as origin from steps)'] %}
    {% for jump in range(1, 27) %}
        {% do jumps.append(
            'jump_' ~ jump ~ ' as materialized (select one.number, further.origin from jump_' ~ (jump - 1)
            ~ ' as one inner join jump_' ~ (jump - 1) ~ ' as further on further.number = one.origin)'
        ) %}
    {% endfor %}
    {{ return(jumps | join(',\n') ~ ',\norigins as (select * from jump_26)') }}
{% endmacro %}

{#- SQLite steps through an index, and would write out each jump within the next. -#}
{% macro sqlite__audit_origins() %}
    {{ return(
        'kept_steps as materialized (select * from steps), origins(number, origin) as (select number, number from kept_steps'
        ~ ' where before_number is null union all select next.number, origins.origin from origins inner join kept_steps as next'
        ~ ' on next.before_number = origins.number)'
    ) }}
{% endmacro %}
