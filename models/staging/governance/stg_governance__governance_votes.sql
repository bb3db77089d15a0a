with source as (
    {{ landed(ref('land_governance_votes')) }}
),

final as (
    select
        id as vote_id,
        nullif({{ trimmed('session_id') }}, '') as session_id,
        nullif({{ trimmed('member_id') }}, '') as member_id,
        nullif({{ trimmed('vote') }}, '') as vote,
        nullif({{ trimmed('verification_status') }}, '') as verification_status,
        {{ read_real('vote_weight') }} as vote_weight,
        {{ read_real('confidence') }} as confidence,
        {{ read_boolean('automated') }} as is_automated,
        coalesce({{ trimmed('vote_signature') }} <> '', {{ truth(false) }}) as is_signed,
        {{ read_timestamp('created_at') }} as created_at,
        _landing_id,
        _changed_at
    from source
)

select * from final
