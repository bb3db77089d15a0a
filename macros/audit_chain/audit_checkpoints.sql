{#-
    A row, unambiguously: for each column its name, the number of bytes of its value, and the value; a dash for NULL. Nothing
    of it can be moved from one field to another.
-#}
{% macro audit_leaf(columns) %}
    {% set parts = [] %}
    {% for name in columns %}
        {% set column = adapter.quote(name) %}
        {% do parts.append("coalesce('" ~ name ~ "=' || octet_length(encode(" ~ column ~ ")) || ':' || " ~ column ~ " || ';', '" ~ name ~ "=-;')") %}
    {% endfor %}
    {{ return(sha256_hex("'row:' || " ~ parts | join(' || '))) }}
{% endmacro %}

{#-
    The entries of a segment up to a position, summed up: how many, what seals the first and the last, and the Merkle root over
    their leaves (of up to 1024 nodes each time one, until one is left). A segment is told by the seal of its first entry, or
    by its number. What is not there is NULL.
-#}
{% macro checkpoint_at(chain, entries, placed, wanted, leaf) %}
    {% set first = 'select segment, min(position) as position from ' ~ placed ~ ' as placed group by segment' %}
    {% set found = as_dicts(run_query(
        'select first.segment, min(segmented.seal) as first_hash from (' ~ first ~ ') as first inner join ' ~ placed
        ~ ' as segmented on segmented.segment = first.segment and segmented.position = first.position group by first.segment order by first.segment'
    )) %}
    {% set named = found | selectattr('first_hash', 'eq', wanted.get('first_hash')) | list if wanted.get('first_hash') else found | selectattr('segment', 'eq', wanted.segment) | list %}
    {% set segment = (named or (found if found and not chain.begins_anew else [{}]))[0] %}
    {% set checkpoint = {
        'chain': chain.name, 'wanted_hash': wanted.get('first_hash'), 'position': wanted.position, 'columns': wanted.columns,
        'segment': segment.get('segment'), 'first_hash': segment.get('first_hash'), 'entries': 0, 'head_hash': none, 'merkle_root': none
    } %}
    {% if segment %}
        {% set here = ' from ' ~ placed ~ ' as placed where segment = ' ~ segment.segment ~ ' and position ' %}
        {% do checkpoint.update(as_dicts(run_query(
            'select count(*) as entries, min(case when position = ' ~ wanted.position ~ ' then seal end) as head_hash' ~ here ~ ' <= ' ~ wanted.position
        ))[0]) %}
        {% if leaf %}
            {% do checkpoint.update({'merkle_root': merkle_root(
                'select entries.position, entries.' ~ leaf ~ ' as node from ' ~ entries ~ ' as entries inner join ' ~ placed
                ~ ' as segmented on segmented.position = entries.position and segmented.seal = entries.seal'
                ~ " and coalesce(segmented.entry_id, '') = coalesce(entries.entry_id, '')"
                ~ ' where segmented.segment = ' ~ segment.segment ~ ' and entries.position <= ' ~ wanted.position
            )}) %}
        {% endif %}
    {% endif %}
    {{ return(checkpoint) }}
{% endmacro %}

{#- The root over the nodes of a query of position and node; none without nodes. -#}
{% macro merkle_root(nodes) %}{{ return(adapter.dispatch('merkle_root', 'grace')(nodes)) }}{% endmacro %}

{% macro default__merkle_root(nodes) %}
    {{ exceptions.raise_compiler_error('merkle_root has no body for ' ~ target.type ~ ': a text aggregate that keeps an order') }}
{% endmacro %}

{% macro duckdb__merkle_root(nodes) %}
    {% set level = namespace(table='audit_level_a', count=2, root=none) %}
    {% do make_scratch_table(level.table, 'select row_number() over (order by position, node) - 1 as place, node from (' ~ nodes ~ ') as leaves') %}
    {% for step in range(12) if level.count > 1 %}
        {% set level.count = run_query('select count(*) from ' ~ level.table)[0][0] | int %}
        {% if level.count > 1 %}
            {% set above = 'audit_level_b' if level.table == 'audit_level_a' else 'audit_level_a' %}
            {% do make_scratch_table(above,
                "select place // 1024 as place, sha256('node:' || string_agg(node || chr(10), '' order by place)) as node from " ~ level.table ~ ' group by place // 1024'
            ) %}
            {% set level.table = above %}
        {% endif %}
    {% endfor %}
    {% set root = run_query('select node from ' ~ level.table) %}
    {{ return(root[0][0] if root.rows | length == 1 else none) }}
{% endmacro %}
