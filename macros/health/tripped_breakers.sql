{#- Circuit breakers that are not closed. -#}
{% macro tripped_breakers(relation) %}
{% set breakers = stored_text(relation, ['component_name', 'state', 'failure_count']) %}
{% call when_present([breakers]) %}
select
    'a circuit breaker is closed' as rule,
    component_name as row_key,
    coalesce(state, 'no state') || ' after ' || coalesce(failure_count, 'no') || ' failures' as found
from ({{ breakers }}) as breakers
where coalesce(state, '') <> 'closed'
{% endcall %}
{% endmacro %}
