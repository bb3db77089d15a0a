{#-
    Verifies chains on the operational database as it is now, and prints what it found as one JSON line behind the word
    `audit-chains`. Called by itself, with nothing else asked for, it fails where a chain is broken:

        dbt run-operation verify_audit_chain --args '{chain: immutable_log}'

    `since` names a place by chain, as position and seal, behind which is looked; `look_at` does so for a place of which is told
    what seals the entry there now. Of each kind the first `limit` findings are told. `checkpoints` names, by chain, places of
    which the entries up to there are summed up; `ends` does so for the last place of each segment. With `raises` false the caller
    reads the verdict from what is printed.
-#}
{% macro verify_audit_chain(chain='all', since={}, look_at={}, limit=20, checkpoints={}, ends=false, raises=true) %}
    {% set reports, broken = [], [] %}
    {% for name in audit_chains() if chain in ('all', name) %}
        {% set made = audit_chain(name, since.get(name)) %}
        {% set report = verified_chain(made, since.get(name), look_at.get(name), limit, checkpoints.get(name, []), ends) %}
        {% do reports.append(report) %}
        {% if report.segments | default([]) | selectattr('verdict', 'eq', 'tampered') | list %}
            {% do broken.append(name) %}
        {% endif %}
    {% endfor %}
    {% if not reports %}
        {{ exceptions.raise_compiler_error("There is no chain '" ~ chain ~ "'; there are: all, " ~ audit_chains() | join(', ')) }}
    {% endif %}
    {{ print('audit-chains ' ~ tojson(reports)) }}
    {% if raises and broken %}
        {{ exceptions.raise_compiler_error('Tampered with: ' ~ broken | join(', ')) }}
    {% endif %}
    {% if raises and reports | selectattr('lacks') | list %}
        {{ exceptions.raise_compiler_error('Could not be verified: ' ~ reports | selectattr('lacks') | map(attribute='chain') | join(', ')) }}
    {% endif %}
{% endmacro %}

{#- What is known of one chain; `lacks` tells what stands in the way of looking. -#}
{% macro verified_chain(chain, since, look_at, limit, checkpoints, ends) %}
    {% set node = declared_table(chain.name) %}
    {% set relation = declared_relation(node) %}
    {% set present = present_columns(relation) %}
    {% set lacks = needed_columns(chain) | reject('in', present) | list if present else [chain.name] %}
    {% if lacks %}
        {{ return({'chain': chain.name, 'lacks': lacks}) }}
    {% endif %}
    {% set sums = dict() %}
    {% for checkpoint in checkpoints if checkpoint.columns | select('in', present) | list | length == checkpoint.columns | length %}
        {% do sums.update({checkpoint.columns | join(','): '_leaf_' ~ loop.index}) %}
    {% endfor %}
    {% set all_columns = node.columns.keys() | select('in', present) | list %}
    {% if ends %}
        {% do sums.update({all_columns | join(','): '_leaf_0'}) %}
    {% endif %}
    {% set known_hash = seal_at(chain, relation, present, look_at) if look_at else none %}
    {% set intact = none if checkpoints or ends or since else intact_by_blocks(chain, relation, node, present) %}
    {% if intact %}
        {{ return({
            'chain': chain.name, 'lacks': [], 'segments': [intact], 'counts': [], 'findings': [], 'checkpoints': [],
            'known_hash': known_hash
        }) }}
    {% endif %}
    {% set entries, findings = 'audit_entries_' ~ chain.name, 'audit_findings_' ~ chain.name %}
    {% set place = quote_name(present[chain.position].name, operational_engine()) %}
    {#- What has no place may have come since. -#}
    {% set behind = place ~ ' > ' ~ since.position ~ ' or ' ~ place ~ ' is null' if since else none %}
    {% set stored = stored_texts(relation, node, present, behind, sums) %}
    {% do make_scratch_table(entries, sealed_entries(chain, stored, chain.key, sums.values())) %}
    {% set segmented = 'audit_segments_' ~ chain.name %}
    {% if chain.begins_anew %}
        {% do make_scratch_table(segmented, audit_segments(chain, entries)) %}
    {% endif %}
    {% set placed = audit_placed(chain, entries, segmented) %}
    {% set cases = 'audit_cases_' ~ chain.name %}
    {% do make_scratch_table(cases, audit_cases(chain, placed)) %}
    {% do make_scratch_table(findings, audit_findings(chain, entries, placed, cases)) %}
    {% set report = {
        'chain': chain.name,
        'lacks': [],
        'segments': as_dicts(run_query(audit_status(chain, placed, findings) ~ ' order by segment')),
        'counts': as_dicts(run_query('select kind, count(*) as findings from ' ~ findings ~ ' group by kind order by kind')),
        'findings': as_dicts(run_query(
            'select chain, segment, position, entry_id, kind, severity, expected, found from (select *, row_number() over'
            ~ ' (partition by kind order by segment, position, entry_id) as place from ' ~ findings ~ ') as ranked where place <= '
            ~ limit ~ ' order by segment, position, kind, entry_id'
        )),
        'checkpoints': [],
        'known_hash': known_hash
    } %}
    {% if ends %}
        {% for segment in report.segments if segment.entries > 0 %}
            {% do report.checkpoints.append(checkpoint_at(
                chain, entries, placed, {'segment': segment.segment, 'position': segment.last_position, 'columns': all_columns}, '_leaf_0'
            )) %}
        {% endfor %}
    {% endif %}
    {% for checkpoint in checkpoints %}
        {% do report.checkpoints.append(checkpoint_at(chain, entries, placed, checkpoint, sums.get(checkpoint.columns | join(',')))) %}
    {% endfor %}
    {{ return(report) }}
{% endmacro %}

{#- What seals the entry at a place, told by position and seal: that seal where one there has it; none where none is there. -#}
{% macro seal_at(chain, relation, present, place) %}
    {% set here = quote_name(present[chain.position].name, operational_engine()) ~ ' = ' ~ place.position %}
    {% set seals = run_query(rows_as_text(relation, [chain.seal], present, here)).columns[0].values() | list %}
    {{ return(place.seal if place.seal in seals else (seals + [none])[0]) }}
{% endmacro %}

{#- The columns without which nothing can be said. -#}
{% macro needed_columns(chain) %}
    {% set content = log_columns() if chain.name == 'immutable_log' else ['category', 'data_json', 'transparency_level', 'hash'] %}
    {{ return([chain.key, chain.position, chain.seal, chain.previous] + content) }}
{% endmacro %}

{#- The declared columns of a table as readable texts, and a leaf for each list of columns in `sums`. -#}
{% macro stored_texts(relation, node, present, condition, sums) %}
    {% set cells = [] %}
    {% for name in node.columns %}
        {% set column = adapter.quote(name) %}
        {#- Only SQLite hands out a text that is none. -#}
        {% do cells.append((clean_text(column) if operational_engine() == 'sqlite' else column) ~ ' as ' ~ column) %}
    {% endfor %}
    {% for columns, leaf in sums.items() %}
        {% do cells.append(audit_leaf(columns.split(',')) ~ ' as ' ~ leaf) %}
    {% endfor %}
    {{ return('select ' ~ cells | join(', ') ~ ' from (' ~ rows_as_text(relation, node.columns, present, condition, marks_bytes=true) ~ ') as source_rows') }}
{% endmacro %}

{#- Committed at once: what DuckDB holds in an open transaction it holds in memory. -#}
{% macro make_scratch_table(name, query) %}
    {% for sql in ('drop table if exists ' ~ name, 'create temporary table ' ~ name ~ ' as ' ~ query) %}
        {% call statement('scratch', auto_begin=True) %}{{ sql }}{% endcall %}
        {% do adapter.commit() %}
    {% endfor %}
{% endmacro %}

{#- The rows of a query as plain data. -#}
{% macro as_dicts(table) %}
    {% set rows = [] %}
    {% for row in table.rows %}
        {% set values = dict() %}
        {% for name in table.column_names %}
            {% set value = row[name] %}
            {% do values.update({name: value | int if value is number else value}) %}
        {% endfor %}
        {% do rows.append(values) %}
    {% endfor %}
    {{ return(rows) }}
{% endmacro %}
