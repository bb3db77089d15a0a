with source as (
    select * from {{ ref('error_rules') }}
),

final as (
    select
        source,
        field,
        lower({{ trimmed('pattern') }}) as pattern,
        {{ read_boolean('is_error') }} as is_error,
        nullif({{ trimmed('error_type') }}, '') as error_type,
        nullif({{ trimmed('severity') }}, '') as severity,
        {{ read_integer('priority') }} as priority
    from source
)

select * from final
