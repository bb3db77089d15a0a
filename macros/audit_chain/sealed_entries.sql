{#-
    The entries of a chain, each sealed anew from what it says. `rows` is a query of the declared columns as texts, of
    `row_key`, by which a row is told, and of what `kept` names besides. Of an entry that is as it was sealed, place, seals and time are all that is kept:

    - entry_id, position, seal, previous, occurred_at: as stored; NULL where it can't be read;
    - content: what the seal is taken of, beside place and previous seal, where the entry is not as it was sealed;
    - resealed: the seal that the stored values give, where it is another one;
    - rebuilt: the hash that the stored content of an audit log entry gives, where it is another one;
    - trouble: why it can't be read.
-#}
{% macro sealed_entries(chain, rows, row_key, kept=[]) %}
    {% set is_log = chain.name == 'immutable_log' %}
with entries_read as (
    select
        *,
        {{ read_integer(adapter.quote(chain.position)) }} as _position,
        {{ log_content() if is_log else "coalesce(" ~ adapter.quote('hash') ~ ", 'None')" }} as _content,
        {{ "cast(null as " ~ dbt.type_string() ~ ")" if is_log else audit_content_hash() }} as _rebuilt
    from ({{ settled_contents(chain, rows, row_key) }}) as stored
),

entries_resealed as (
    select
        *,
        coalesce({{ adapter.quote(chain.seal) }}, '') as _seal,
        {{ seal_of(chain, '_content', adapter.quote(chain.previous), '_position') }} as _resealed
    from entries_read
)

select
    {% for name in kept %}
    {{ name }},
    {% endfor %}
    {{ adapter.quote(chain.key) }} as entry_id,
    _position as position,
    _seal as seal,
    coalesce({{ adapter.quote(chain.previous) }}, 'None') as previous,
    {{ parse_timestamp(adapter.quote(chain.clock)) }} as occurred_at,
    case when _resealed = _seal{{ ' and _rebuilt = _content' if not is_log }} then null else _content end as content,
    case when _resealed <> _seal then _resealed end as resealed,
    case when _rebuilt <> _content then _rebuilt end as rebuilt,
    case
        when _position is null then 'its position can not be read'
        when _position < {{ chain.first }} then 'its position lies before the first'
        when _seal = '' then 'it has no seal'
        {% if is_log %}
        when _resealed <> _seal and ({{ any_is_hex_of_bytes(log_columns()) }}) then 'it holds bytes that are no text'
        {% else %}
        when _rebuilt is null then 'its JSON can not be read'
        {% endif %}
    end as trouble
from entries_resealed
{% endmacro %}

{#- What an entry of the immutable log says, as its seal is taken of it. -#}
{% macro log_content() %}
    {% set parts = [] %}
    {% for name in log_columns() %}
        {% do parts.append('coalesce(' ~ adapter.quote(name) ~ ", 'None')") %}
    {% endfor %}
    {{ return(with_colons(parts)) }}
{% endmacro %}

{% macro log_columns() %}{{ return(['actor', 'action', 'resource', 'payload', 'result']) }}{% endmacro %}

{% macro any_is_hex_of_bytes(columns) %}
    {% set parts = [] %}
    {% for name in columns %}
        {% do parts.append('coalesce(' ~ is_hex_of_bytes(adapter.quote(name)) ~ ', ' ~ truth(false) ~ ')') %}
    {% endfor %}
    {{ return(parts | join(' or ')) }}
{% endmacro %}
