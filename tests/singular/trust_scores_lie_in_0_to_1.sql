{{ config(severity='warn') }}

{% set places = [
    ('silver_records', 'record_id', 'trust_score'),
    ('processing_metrics', 'id', 'trust_mean'),
    ('source_trust_history', 'id', 'old_reputation'),
    ('source_trust_history', 'id', 'new_reputation'),
] %}

-- What can't be read as a number is no score either: NaN and infinity would pass a comparison
-- unseen.
with

{% for table, key, column in places %}
{% set scores = stored_text(operational('ingress', table), [key, column]) %}
{{ table }}__{{ column }} as (
    {% call when_present([scores]) %}
    select
        '{{ table }}.{{ column }} lies in 0..1' as rule,
        {{ key }} as row_key,
        {{ column }} as found
    from ({{ scores }}) as scores
    where
        {{ column }} is not null
        and coalesce({{ read_real(column) }}, -1) not between 0 and 1
    {% endcall %}
),

{% endfor %}
final as (
    {% for table, key, column in places %}
    select * from {{ table }}__{{ column }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from final
