{#-
    Grain: one spelling that names somebody, with the actor behind it. Text that no known prefix explains names an actor of
    unknown type; the word unknown names nobody. A table, because most facts read it.
-#}
{{ config(materialized='table') }}

with spelled as (
    select * from {{ ref('int_actor__spelled') }}
),

spellings as (
    select * from {{ ref('stg_reference__actor_spellings') }}
),

split as (
    select
        spelling,
        {{ text_before('spelling', ':') }} as prefix,
        {{ text_after('spelling', ':') }} as suffix
    from spelled
    where spelling <> 'unknown'
),

named as (
    select
        split.spelling,
        case
            when spellings.names_actor or spellings.prefix is null then split.spelling
            else spellings.prefix
        end as actor_id,
        coalesce(spellings.actor_type, 'unknown') as actor_type,
        case
            when spellings.prefix is null then split.spelling
            when spellings.names_actor then split.suffix
            else spellings.prefix
        end as actor_name,
        coalesce(spellings.is_trusted, {{ truth(false) }}) as is_trusted,
        spellings.component_name
    from split
    -- A component may also stand alone, without the error or plan that it acts on.
    left join spellings
        on
            spellings.prefix = lower(split.prefix)
            or (split.prefix is null and not spellings.names_actor and spellings.prefix = lower(split.spelling))
),

-- Hashed once a spelling: facts have many rows of each.
final as (
    select
        {{ surrogate_key(['actor_id']) }} as actor_key,
        named.*
    from named
)

select * from final
