{#-
    The body of a landing model: the rows of one operational table as text, with what changed since the last run.

    Change is told by content: every row is read and hashed, and only rows whose hash differs are written, each table
    counting its own changes in _change_seq. A row that is gone stays, marked deleted. Rows that share a key or have none
    are kept apart by _occurrence, so that staging can take one and quarantine the others.
-#}
{% macro land(component, table) %}
    {% set relation = operational(component, table) %}
    {% if not execute %}{{ return('select 1 as waiting_for_the_graph') }}{% endif %}
    {% set node = declared_table(table) %}
    {% set key = adapter.quote(primary_key(node)[0]) %}
    {% set columns = quote_names(node.columns, target.type) %}
    {% set run = run_clock() %}
    {% set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | list %}
    {% if not present %}
        {% do exceptions.warn(relation ~ ' is missing: what was landed from it stays as it was') %}
    {% endif %}
with rows_read as materialized (
    {{ rows_as_text(relation, node, present) }}
),

hashed as (
    select
        *,
        {{ row_hash(node) }} as _row_hash
    from rows_read
),

keyed as materialized (
    select
        *,
        coalesce('=' || {{ key }}, '!' || _row_hash) as _key
    from hashed
),

repeated as (
    select _key
    from keyed
    group by _key
    having count(*) > 1
),

numbered as (
    select
        *,
        1 as _occurrence
    from keyed
    where _key not in (select _key from repeated)

    union all

    select
        *,
        row_number() over (partition by _key order by _row_hash) as _occurrence
    from keyed
    where _key in (select _key from repeated)
),

identified as {{ 'materialized' if is_incremental() }} (
    select
        *,
        {{ as_text('_occurrence') }} || _key as _landing_id
    from numbered
){% if is_incremental() %},

known as (
    select
        _landing_id,
        _row_hash,
        _first_seen_at,
        _is_deleted
    from {{ this }}
),

changed as (
    select
        identified.*,
        coalesce(known._first_seen_at, {{ run }}) as _first_seen_at,
        {{ truth(false) }} as _is_deleted
    from identified
    left join known on known._landing_id = identified._landing_id
    where known._landing_id is null or known._row_hash <> identified._row_hash or known._is_deleted
),

gone as (
    select last_seen.*
    from {{ this }} as last_seen
    left join identified on identified._landing_id = last_seen._landing_id
    where identified._landing_id is null and not last_seen._is_deleted{{ '' if present else ' and 1 = 0' }}
){% endif %}

select
    _landing_id,
    _key,
    _occurrence,
    _row_hash,
    {{ '(select coalesce(max(_change_seq), 0) + 1 from ' ~ this ~ ')' if is_incremental() else '1' }} as _change_seq,
    {{ '_first_seen_at' if is_incremental() else run }} as _first_seen_at,
    {{ run }} as _changed_at,
    {{ truth(false) }} as _is_deleted,
    {{ has_finding(node) }} as _has_finding,
    {{ columns }}
from {{ 'changed' if is_incremental() else 'identified' }}
{% if is_incremental() %}

union all

select
    _landing_id,
    _key,
    _occurrence,
    _row_hash,
    (select coalesce(max(_change_seq), 0) + 1 from {{ this }}) as _change_seq,
    _first_seen_at,
    {{ run }} as _changed_at,
    {{ truth(true) }} as _is_deleted,
    _has_finding,
    {{ columns }}
from gone
{% endif %}
{% endmacro %}

{#- A hash over lengths and values: no two rows with different values share its input, and NULL is not the empty text. -#}
{% macro row_hash(node) %}
    {% set parts = [] %}
    {% for name in node.columns %}
        {% set column = adapter.quote(name) %}
        {% do parts.append("coalesce(length(" ~ column ~ ") || ':' || " ~ column ~ ", '-')") %}
    {% endfor %}
    {{ return('md5(' ~ parts | join(' || ') ~ ')') }}
{% endmacro %}

{#- A landed row that staging reads: still there, with a key, and the first of its key. -#}
{% macro is_landed() %}{{ return("not _is_deleted and _occurrence = 1 and _key like '=%'") }}{% endmacro %}
