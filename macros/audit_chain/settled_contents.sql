{#-
    A query of stored audit log entries, from which `audit_content_hash` can be taken; `key` names an entry. PostgreSQL has
    no way to call Python: there the JSON is read here and sorted as Python does it, some entries at a time, and kept beside them
    as long as the session lasts.
-#}
{% macro settled_contents(chain, rows, key) %}
    {{ return(rows if chain.name == 'immutable_log' else adapter.dispatch('settled_contents', 'grace')(rows, key)) }}
{% endmacro %}

{% macro default__settled_contents(rows, key) %}{{ return(rows) }}{% endmacro %}

{% macro postgres__settled_contents(rows, key) %}
    {% if not execute or flags.WHICH not in ('build', 'run', 'run-operation') %}
        {{ return('select *, cast(null as text) as _settled_content from (' ~ rows ~ ') as stored') }}
    {% endif %}
    {% set at_once = 2000 %}
    {% set settled = 'audit_settled_contents' %}
    {% do run_query('drop table if exists ' ~ settled) %}
    {% do run_query('create temporary table ' ~ settled ~ ' (settled_key text primary key, _settled_content text)') %}
    {% set last = namespace(key=none, done=false) %}
    {% for batch in range(100000) if not last.done %}
        {% set condition = " where " ~ key ~ " collate \"C\" > '" ~ last.key | replace("'", "''") ~ "'" if last.key is not none else '' %}
        {% set found = run_query(
            'select ' ~ key ~ ', entry_id, category, data_json, transparency_level, ' ~ adapter.quote('timestamp') ~ ' from (' ~ rows ~ ') as stored'
            ~ condition ~ ' order by ' ~ key ~ ' collate "C" limit ' ~ at_once
        ).rows %}
        {% set lines = [] %}
        {% for row in found %}
            {% set last.key = row[0] %}
            {% set content = python_content(row[1], row[2], row[3], row[4], row[5]) %}
            {% do lines.append("('" ~ row[0] | replace("'", "''") ~ "', '" ~ content | replace("'", "''") ~ "')" if content else none) %}
        {% endfor %}
        {% set lines = lines | select | list %}
        {% if lines %}
            {% do run_query('insert into ' ~ settled ~ ' values ' ~ lines | join(', ')) %}
        {% endif %}
        {% set last.done = found | length < at_once %}
    {% endfor %}
    {{ return('select stored.*, settled._settled_content from (' ~ rows ~ ') as stored left join ' ~ settled
        ~ ' as settled on settled.settled_key = stored.' ~ key) }}
{% endmacro %}

{#- The JSON of an entry as Python writes it, keys sorted; none where the stored JSON can't be read. -#}
{% macro python_content(entry_id, category, data_json, level, timestamp) %}
    {% set data = fromjson(data_json) if data_json is not none and is_shallow(data_json) else none %}
    {% if data is none and (data_json or '') | trim != 'null' %}
        {{ return(none) }}
    {% endif %}
    {{ return(tojson({
        'category': category, 'data': data, 'entry_id': entry_id, 'timestamp': timestamp, 'transparency_level': level
    }, sort_keys=true)) }}
{% endmacro %}

{#- Whether a JSON text is not nested too deep: how deep Python reads depends on who calls (grace_dbt/audit/formats.py). -#}
{% macro is_shallow(text) %}
    {% set deepest = 500 %}
    {% if text.count('[') + text.count('{') <= deepest %}
        {{ return(true) }}
    {% endif %}
    {% set level = namespace(now=0, most=0) %}
    {% for bracket in modules.re.findall('[\\[\\]{}]', modules.re.sub('"(?:[^"\\\\]|\\\\.)*"', '', text)) %}
        {% set level.now = level.now + (1 if bracket in '[{' else -1) %}
        {% set level.most = [level.most, level.now] | max %}
    {% endfor %}
    {{ return(level.most <= deepest) }}
{% endmacro %}
