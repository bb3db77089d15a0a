{#-
    The body of a landing model: the rows of one operational table as text, with what changed since the last run.

    Change is told by content: every row is read and hashed, and only rows whose hash differs are written. A row that is
    gone stays, marked deleted. Rows that share a key or have none are kept apart by their _landing_id (position among
    equals, then '=' and the key, or '!' and the hash where the key is NULL), so that staging can take one and quarantine
    the others.
-#}
{% macro land(component, table) %}
    {% set relation = operational(component, table) %}
    {% if not execute %}{{ return('select 1 as waiting_for_the_graph') }}{% endif %}
    {% set node = declared_table(table) %}
    {% set key = adapter.quote(primary_key(node)[0]) %}
    {% set clock = node.config.loaded_at_field %}
    {% set columns = quote_names(node.columns, target.type) %}
    {% set run = run_clock() %}
    {% set present = present_columns(relation) %}
    {% if not present %}
        {% do exceptions.warn(relation ~ ' is missing: what was landed from it stays as it was') %}
    {% endif %}
with rows_read as (
    {{ rows_as_text(relation, node.columns, present) }}
),

keyed as (
    select
        *,
        {{ row_hash(node) }} as _row_hash
    from rows_read
),

landed as (
    select
        {{ as_text(occurrence(relation, node, present)) }} || coalesce('=' || {{ clean_text(key) }}, '!' || {{ md5_of_columns(node) }}) as _landing_id,
        _row_hash,
        {{ columns }}
    from keyed
){% if is_incremental() %},

known as (
    select
        _landing_id as _known_id,
        _row_hash as _known_hash,
        _first_seen_at as _known_since,
        _is_deleted as _was_deleted
    from {{ this }}
),

differing as materialized (
    select *
    from landed
    full outer join known on known._known_id = landed._landing_id
    where
        _known_id is null
        or (_landing_id is not null and (_was_deleted or _row_hash <> _known_hash))
        or (_landing_id is null and not _was_deleted{{ '' if present else ' and 1 = 0' }})
){% endif %},

readable as (
    select
        _landing_id,
        _row_hash,
        {{ 'coalesce(_known_since, ' ~ run ~ ')' if is_incremental() else run }} as _first_seen_at,
        {% for name in node.columns %}
        {{ clean_text(adapter.quote(name)) }} as {{ adapter.quote(name) }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ 'differing where _landing_id is not null' if is_incremental() else 'landed' }}
),

changed as (
    select
        _landing_id,
        _row_hash,
        _first_seen_at,
        {{ run }} as _changed_at,
        {{ truth(false) }} as _is_deleted,
        {{ has_finding(node) }} as _has_finding,
        {{ parse_timestamp(adapter.quote(clock)) if clock else null_timestamp() }} as _occurred_at,
        {{ columns }}
    from readable
)

select * from changed
{% if is_incremental() %}

union all

select
    _landing_id,
    _row_hash,
    _first_seen_at,
    {{ run }} as _changed_at,
    {{ truth(true) }} as _is_deleted,
    _has_finding,
    _occurred_at,
    {{ columns }}
from {{ this }}
where _landing_id in (select _known_id from differing where _landing_id is null)
{% endif %}
{% endmacro %}

{#-
    The position of a row among those that share its key, as text: by what the row says, so that every engine takes the same
    one. A table whose keys are unique, as nearly all are, is asked once and spared the sort.
-#}
{% macro occurrence(relation, node, present) %}
    {% set name = primary_key(node)[0] %}
    {% set key = clean_text(adapter.quote(name)) %}
    {% set keys = rows_as_text(relation, [name], present) %}
    {% if not run_query(
        'select 1 from (' ~ keys ~ ') as stored group by ' ~ key ~ ' having count(*) > 1 or ' ~ key ~ ' is null limit 1'
    ) %}
        {{ return('1') }}
    {% endif %}
    {% set content = md5_of_columns(node) %}
    {{ return('row_number() over (partition by coalesce(' ~ key ~ ', ' ~ content ~ '), ' ~ key ~ ' is null order by ' ~ content ~ ')') }}
{% endmacro %}

{#-
    A hash over all columns of a landed row, by which a change is told: within one landing table only, so it may be the
    engine's own. A new version of DuckDB may hash otherwise; every row then counts as changed once.
-#}
{% macro row_hash(node) %}{{ return(adapter.dispatch('row_hash', 'grace')(quote_names(node.columns, target.type), node)) }}{% endmacro %}

{% macro default__row_hash(columns, node) %}
    {{ exceptions.raise_compiler_error('row_hash has no body for ' ~ target.type ~ ': a hash that tells NULL from empty') }}
{% endmacro %}

{% macro duckdb__row_hash(columns, node) %}{{ return('hash(' ~ columns ~ ')') }}{% endmacro %}

{% macro sqlite__row_hash(columns, node) %}{{ return(md5_of_columns(node)) }}{% endmacro %}

{% macro postgres__row_hash(columns, node) %}{{ return(md5_of_columns(node)) }}{% endmacro %}

{#- Lengths before values: no two rows with different values share the text that is hashed. -#}
{% macro md5_of_columns(node) %}
    {% set parts = [] %}
    {% for name in node.columns %}
        {% set column = clean_text(adapter.quote(name)) %}
        {% do parts.append("coalesce(length(" ~ column ~ ") || ':' || " ~ column ~ ", '-')") %}
    {% endfor %}
    {{ return('md5(' ~ parts | join(' || ') ~ ')') }}
{% endmacro %}

{#- A landed row that staging reads: still there, with a key, and the first of its key. -#}
{% macro is_landed() %}{{ return("not _is_deleted and _landing_id like '1=%'") }}{% endmacro %}
