{#-
    Sources whose samples of the last hour show a mean error rate over 5 percent. What is above 1 counts as 1: writers that
    mean percent are loud enough as it is.
-#}
{% macro high_error_rates(relation) %}
{% set samples = stored_text(relation, ['source_id', 'timestamp', 'error_rate']) %}
{% call when_present([samples]) %}
with

samples as (
    {{ samples }}
),

rates as (
    select
        source_id,
        case when ({{ read_real('error_rate') }}) > 1 then 1 else ({{ read_real('error_rate') }}) end as error_rate
    from samples
    where
        ({{ read_timestamp(adapter.quote('timestamp')) }}) >= {{ hour_before_run() }}
        and ({{ read_real('error_rate') }}) >= 0
),

means as (
    select
        source_id,
        avg(error_rate) as error_rate,
        count(*) as samples
    from rates
    group by source_id
)

select
    'the error rate of a source is at most 5 percent over an hour' as rule,
    source_id as row_key,
    {{ as_text('round(cast(error_rate * 100 as numeric), 1)') }} || ' percent of events failed in the last hour, by '
        || {{ as_text('samples') }} || ' samples' as found
from means
where error_rate > 0.05
{% endcall %}
{% endmacro %}
