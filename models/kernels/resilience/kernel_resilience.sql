{#-
    Grain: one reading of the resilience kernel. Natural id: reading_type and reading_id. The tables of breakers and degradations
    hold the present and no history: a trip or degradation that is over can't be told from them.
-#}
{{ config(unique_key='reading_key') }}

with breakers as (
    select * from {{ ref('stg_resilience__circuit_breakers') }}
),

degradations as (
    select * from {{ ref('stg_resilience__active_degradations') }}
),

measurements as (
    select * from {{ ref('stg_resilience__sli_measurements') }}
),

readings as (
    select
        'circuit_breakers' as reading_type,
        breaker_id as reading_id,
        component_name,
        breaker_state,
        cast(null as {{ dbt.type_string() }}) as policy_id,
        cast(null as {{ dbt.type_string() }}) as degradation_level,
        cast(null as {{ dbt.type_string() }}) as sli_name,
        cast(null as {{ dbt.type_string() }}) as measurement_type,
        cast(null as double precision) as measured_value,
        cast(null as double precision) as target_value,
        -- Half open follows open alone: both stand behind a trip that is not over.
        case
            when breaker_state in ('open', 'half_open') then {{ truth(true) }}
            when breaker_state = 'closed' then {{ truth(false) }}
        end as is_trip,
        cast(null as {{ dbt.type_boolean() }}) as is_activation,
        cast(null as {{ dbt.type_boolean() }}) as is_violation,
        updated_at as created_at
    from breakers

    union all

    select
        'active_degradations' as reading_type,
        degradation_id as reading_id,
        component_name,
        null as breaker_state,
        policy_id,
        degradation_level,
        null as sli_name,
        null as measurement_type,
        null as measured_value,
        null as target_value,
        null as is_trip,
        {{ truth(true) }} as is_activation,
        null as is_violation,
        created_at
    from degradations

    union all

    select
        'sli_measurements' as reading_type,
        measurement_id as reading_id,
        component_name,
        null as breaker_state,
        null as policy_id,
        null as degradation_level,
        sli_name,
        measurement_type,
        measured_value,
        target_value,
        null as is_trip,
        null as is_activation,
        -- Of availability more is better, of latency and errors less; of another family nobody says which.
        case
            when measurement_type = 'availability' then measured_value < target_value
            when measurement_type in ('latency', 'error_rate') then measured_value > target_value
        end as is_violation,
        created_at
    from measurements
),

final as (
    select
        {{ surrogate_key(['reading_type', 'reading_id']) }} as reading_key,
        {{ time_key('created_at') }} as time_key,

        reading_type,
        reading_id,
        component_name,
        breaker_state,
        policy_id,
        degradation_level,
        sli_name,
        measurement_type,

        measured_value,
        target_value,

        is_trip,
        is_activation,
        is_violation,

        created_at
    from readings
)

select * from final
