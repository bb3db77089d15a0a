with source as (
    select * from {{ ref('actor_spellings') }}
),

final as (
    select
        prefix,
        actor_type,
        {{ read_boolean('names_actor') }} as names_actor,
        {{ read_boolean('is_trusted') }} as is_trusted,
        nullif(component_name, '') as component_name
    from source
)

select * from final
