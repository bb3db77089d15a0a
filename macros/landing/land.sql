{#-
    The body of a landing model: the rows of one operational table as text, with what changed since the last run.

    Change is told by content: each row that is read is hashed, and only rows whose hash differs are written. A row that is
    gone stays, marked deleted. Rows that share a key or have none are kept apart by their _landing_id (position among
    equals, then '=' and the key, or '!' and the hash where the key is NULL), so that staging can take one and quarantine
    the others. Which rows are read is said by `plan_reading`.
-#}
{% macro land(component, table) %}
    {% set relation = operational(component, table) %}
    {% set reads = ref('landing_reads') %}
    {{ config(post_hook=[
        "{{ add_landing_read('" ~ table ~ "') }}", "{{ set_landing_read('" ~ table ~ "') }}"
    ]) }}
    {% if not execute %}{{ return('select 1 as waiting_for_the_graph') }}{% endif %}
    {% set node = declared_table(table) %}
    {% set key = primary_key(node)[0] %}
    {% set clock = node.config.loaded_at_field %}
    {% set names = landed_columns(node) %}
    {% set columns = quote_names(names, target.type) %}
    {% set run = run_clock() %}
    {% set present = present_columns(relation) %}
    {% if not present %}
        {% do exceptions.warn(relation ~ ' is missing: what was landed from it stays as it was') %}
    {% endif %}
    {% set is_unique = keys_stand_once(relation, node, present) %}
    {% set plan = plan_reading(relation, node, present, is_unique, reads) %}
-- rows read: {{ plan.mode }}
with rows_read as (
    {{ rows_as_text(relation, names, present, plan.condition) }}
),

keyed as (
    select
        *,
        {{ row_hash(node) }} as _row_hash
    from rows_read
),

landed as {{ 'materialized ' if not is_unique }}(
    select
        {{ landing_id(node, is_unique) }} as _landing_id,
        _row_hash,
        {{ columns }}
    from keyed
    {% if plan.span %}
    where {{ is_between(parse_timestamp(adapter.quote(clock)), plan.span) }}
    {% endif %}
){% if is_incremental() %},

differing as materialized (
    {{ rows_that_differ() }}
){% if plan.tells_deletes %},

there as (
    {% if is_unique %}
    select {{ landing_id(node, is_unique) }} as _landing_id
    from ({{ rows_as_text(relation, [key], present) }}) as stored_keys
    {% else %}
    select _landing_id from landed
    {% endif %}
){% endif %}{% endif %},

readable as (
    select
        _landing_id,
        _row_hash,
        {{ '_known_since' if is_incremental() else run }} as _first_seen_at,
        {% for name in names %}
        {{ clean_text(adapter.quote(name)) }} as {{ adapter.quote(name) }}{{ ',' if not loop.last }}
        {% endfor %}
    {% if is_incremental() %}
    from differing
    left join (select _landing_id as _known_id, _first_seen_at as _known_since from {{ this }}) as known
        on known._known_id = differing._landing_id
    {% else %}
    from landed
    {% endif %}
),

changed as (
    select
        _landing_id,
        _row_hash,
        coalesce(_first_seen_at, {{ run }}) as _first_seen_at,
        {{ run }} as _changed_at,
        {{ truth(false) }} as _is_deleted,
        {{ has_finding(node) }} as _has_finding,
        {{ parse_timestamp(adapter.quote(clock)) if clock else null_timestamp() }} as _occurred_at,
        {{ columns }}
    from readable
)

select * from changed
{% if plan.tells_deletes and is_incremental() %}

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
where
    not _is_deleted
    and _landing_id in (
        select kept._landing_id
        from {{ this }} as kept
        left join there on there._landing_id = kept._landing_id
        where there._landing_id is null
    )
    {#- A row that was read is there, whatever a look at the keys a moment later says. #}
    and _landing_id not in (select _landing_id from differing)
    {% if plan.span %}
    and {{ is_between('_occurred_at', plan.span) }}
    {% endif %}
{% endif %}
{% endmacro %}

{#-
    The rows of `landed` that are new, changed or back again. However many are read, no more is kept of the others than what is
    compared: wide rows only stream past.
-#}
{% macro rows_that_differ() %}{{ return(adapter.dispatch('rows_that_differ', 'grace')()) }}{% endmacro %}

{% macro default__rows_that_differ() %}
    {{ return(
        'select landed.* from landed left join (select _landing_id as _known_id, _row_hash as _known_hash from ' ~ this
        ~ ' where not _is_deleted) as known on known._known_id = landed._landing_id and known._known_hash = landed._row_hash'
        ~ ' where known._known_id is null'
    ) }}
{% endmacro %}

{#- As a join it would build its table of the wide rows, which it takes for few: it can't count what a server will send. -#}
{% macro duckdb__rows_that_differ() %}
    {{ return(
        'select * from landed where (_landing_id, _row_hash) not in (select _landing_id, _row_hash from ' ~ this
        ~ ' where not _is_deleted)'
    ) }}
{% endmacro %}

{#-
    The _landing_id of a row: the position among those that share its key, as text, by what the row says, so that every engine
    takes the same one. A table whose keys are unique, as nearly all are, is spared the sort.
-#}
{% macro landing_id(node, is_unique) %}
    {% set key = clean_text(adapter.quote(primary_key(node)[0])) %}
    {% if is_unique %}
        {{ return("'1=' || " ~ key) }}
    {% endif %}
    {% set content = md5_of_columns(node) %}
    {{ return(
        as_text('row_number() over (partition by coalesce(' ~ key ~ ', ' ~ content ~ '), ' ~ key ~ ' is null order by ' ~ content ~ ')')
        ~ " || coalesce('=' || " ~ key ~ ", '!' || " ~ content ~ ')'
    ) }}
{% endmacro %}

{#-
    A hash over the columns of a landed row, by which a change is told: within one landing table only, so it may be the
    engine's own. A new version of DuckDB may hash otherwise; every row then counts as changed once.
-#}
{% macro row_hash(node) %}{{ return(adapter.dispatch('row_hash', 'grace')(quote_names(landed_columns(node), target.type), node)) }}{% endmacro %}

{% macro default__row_hash(columns, node) %}
    {{ exceptions.raise_compiler_error('row_hash has no body for ' ~ target.type ~ ': a hash that tells NULL from empty') }}
{% endmacro %}

{% macro duckdb__row_hash(columns, node) %}{{ return('hash(' ~ columns ~ ')') }}{% endmacro %}

{% macro sqlite__row_hash(columns, node) %}{{ return(md5_of_columns(node)) }}{% endmacro %}

{% macro postgres__row_hash(columns, node) %}{{ return(md5_of_columns(node)) }}{% endmacro %}

{#- Lengths before values: no two rows with different values share the text that is hashed. -#}
{% macro md5_of_columns(node) %}
    {% set parts = [] %}
    {% for name in landed_columns(node) %}
        {% set column = clean_text(adapter.quote(name)) %}
        {% do parts.append("coalesce(length(" ~ column ~ ") || ':' || " ~ column ~ ", '-')") %}
    {% endfor %}
    {{ return('md5(' ~ parts | join(' || ') ~ ')') }}
{% endmacro %}

{#- A landed row that staging reads: still there, with a key, and the first of its key. -#}
{% macro is_landed() %}{{ return("not _is_deleted and _landing_id like '1=%'") }}{% endmacro %}
