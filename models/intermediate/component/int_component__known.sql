{#-
    Grain: one component, of the seed or first seen in data. Contracts name none: they run under the executor, which the seed has.
-#}
with registered as (
    select * from {{ ref('components') }}
),

seen as (
    select * from {{ ref('int_component__seen') }}
),

final as (
    select
        component_name,
        subsystem,
        tier_default,
        description
    from registered

    union all

    select
        seen.component_name,
        'unknown' as subsystem,
        null as tier_default,
        'First seen in data, in no register' as description
    from seen
    left join registered on registered.component_name = seen.component_name
    where registered.component_name is null and seen.component_name <> 'unknown'
)

select * from final
