{#-
    Who stands behind each spelling of triggered_by. Text that no known prefix explains names an actor of unknown type;
    the word unknown names nobody.
-#}
with contracts as (
    select distinct triggered_by
    from {{ ref('stg_verification__action_contracts') }}
    where triggered_by <> 'unknown'
),

spellings as (
    select * from {{ ref('stg_reference__actor_spellings') }}
),

split as (
    select
        triggered_by,
        {{ text_before('triggered_by', ':') }} as prefix,
        {{ text_after('triggered_by', ':') }} as suffix
    from contracts
),

final as (
    select
        split.triggered_by,
        case
            when spellings.names_actor or spellings.prefix is null then split.triggered_by
            else spellings.prefix
        end as actor_id,
        coalesce(spellings.actor_type, 'unknown') as actor_type,
        case
            when spellings.prefix is null then split.triggered_by
            when spellings.names_actor then split.suffix
            else spellings.prefix
        end as actor_name,
        coalesce(spellings.is_trusted, {{ truth(false) }}) as is_trusted
    from split
    -- A component may also stand alone, without the error or plan that it acts on.
    left join spellings
        on
            spellings.prefix = lower(split.prefix)
            or (split.prefix is null and not spellings.names_actor and spellings.prefix = lower(split.triggered_by))
)

select * from final
