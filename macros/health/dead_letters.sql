{#- Topics with messages that no consumer could process and nobody settled. -#}
{% macro dead_letters(relation) %}
{% set letters = stored_text(relation, ['id', 'original_topic', 'status', 'resolved_at']) %}
{% call when_present([letters]) %}
select
    'no dead letter waits for an operator' as rule,
    original_topic as row_key,
    {{ as_text('count(*)') }} || ' not settled, e.g. ' || min(id) as found
from ({{ letters }}) as letters
where coalesce(status, '') not in ('resolved', 'discarded') and resolved_at is null
group by original_topic
{% endcall %}
{% endmacro %}
