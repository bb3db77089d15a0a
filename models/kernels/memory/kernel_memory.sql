{#-
    Grain: one reading of the memory kernel. Natural id: reading_type and reading_id. Storage is the durable tier as it stands: an
    entry that is gone no longer takes up any.
-#}
{{ config(unique_key='reading_key') }}

with accesses as (
    select * from {{ ref('stg_memory__memory_access_patterns') }}
),

entries as (
    select * from {{ ref('stg_memory__fusion_memory') }}
),

readings as (
    select
        'memory_access_patterns' as reading_type,
        access_id as reading_id,
        access_type,
        cast(null as {{ dbt.type_string() }}) as content_type,
        cast(null as {{ dbt.type_string() }}) as compression_type,
        response_time_ms,
        cast(null as {{ dbt.type_bigint() }}) as size_bytes,
        is_cache_hit,
        created_at
    from accesses

    union all

    select
        'fusion_memory' as reading_type,
        entry_id as reading_id,
        null as access_type,
        content_type,
        compression_type,
        null as response_time_ms,
        size_bytes,
        null as is_cache_hit,
        updated_at as created_at
    from entries
),

final as (
    select
        {{ surrogate_key(['reading_type', 'reading_id']) }} as reading_key,
        {{ time_key('created_at') }} as time_key,

        reading_type,
        reading_id,
        access_type,
        content_type,
        compression_type,

        response_time_ms,
        size_bytes,

        is_cache_hit,

        created_at
    from readings
)

select * from final
