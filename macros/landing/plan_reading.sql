{#-
    Which rows of a table a run reads, by what landing knows of it:

    - mode: `all` rows; those of a `window` where the table is over the row budget; a `backfill`; `none` of a missing table;
    - condition: of these rows, in the words of the database that holds the table; none for all;
    - span: the first moment and the one after the last of a backfill, as literals of the target; none otherwise;
    - tells_deletes: whether a landed row whose key is gone is marked deleted.

    Rows that share a key are told apart by all rows of that key, so a table that has such rows is read whole.
-#}
{% macro plan_reading(relation, node, present, is_unique, reads) %}
    {% set all = {'mode': 'all', 'condition': none, 'span': none, 'tells_deletes': true} %}
    {% if not present %}
        {{ return({'mode': 'none', 'condition': none, 'span': none, 'tells_deletes': false}) }}
    {% elif not is_incremental() or not is_unique %}
        {{ return(all) }}
    {% elif var('backfill_from') or var('backfill_to') %}
        {{ return(plan_backfill(node, present)) }}
    {% endif %}
    {% set known = landing_read(node.name, reads) %}
    {% if var('reconcile') or known is none or known['rows_there'] <= var('row_budget') or known['newest_at'] is none %}
        {{ return(all) }}
    {% endif %}
    {% set condition = window_condition(relation, node, present, utc_moment(known['newest_at'] | string)) %}
    {{ return({'mode': 'window', 'condition': condition, 'span': none, 'tells_deletes': false} if condition else all) }}
{% endmacro %}

{#- The rows whose clock lies in the span; a table without a clock has none. -#}
{% macro plan_backfill(node, present) %}
    {% set clock = present.get(node.config.loaded_at_field) %}
    {% set first = utc_moment(var('backfill_from') or '0001-01-03') %}
    {% set last = utc_moment(var('backfill_to') or '9999-12-29') %}
    {% if not clock or not is_time_or_text(clock) %}
        {{ return({'mode': 'none', 'condition': '1 = 0', 'span': none, 'tells_deletes': false}) }}
    {% endif %}
    {% set condition = told_time(clock, '>=', first - stored_offset()) ~ ' and ' ~ told_time(clock, '<', last + stored_offset()) %}
    {% set span = (
        timestamp_literal(first.isoformat(' ', 'microseconds')), timestamp_literal(last.isoformat(' ', 'microseconds'))
    ) %}
    {{ return({'mode': 'backfill', 'condition': condition, 'span': span, 'tells_deletes': true}) }}
{% endmacro %}

{% macro is_between(moment, span) %}{{ return(moment ~ ' >= ' ~ span[0] ~ ' and ' ~ moment ~ ' < ' ~ span[1]) }}{% endmacro %}

{#-
    The condition of the rows to read of a table over the row budget; none where it would not say enough, and all have to be
    read. A row is read when one of its times is newer than the newest one landed less the overlap, or can't be told; when it
    is open, which is to say that it may change without any time telling; and when landing has it as open but it is no longer.
-#}
{% macro window_condition(relation, node, present, newest) %}
    {% set clock = node.config.loaded_at_field %}
    {% if clock not in present %}
        {{ return(none) }}
    {% endif %}
    {#- One wrong time ahead of the run's clock would close the window for all that follow. -#}
    {% set since = [newest, run_moment()] | min - modules.datetime.timedelta(hours=var('overlap_hours')) - stored_offset() %}
    {% set parts = [quote_name(present[clock].name, operational_engine()) ~ ' is null'] %}
    {% for column in node.columns.values() if column.name in present %}
        {% if column.data_type == 'timestamp' or column.config.meta.get('format') == 'timestamp' %}
            {% set found = present[column.name] %}
            {% if not is_time_or_text(found) %}
                {{ return(none) }}
            {% endif %}
            {% do parts.append(told_time(found, '>=', since)) %}
            {% do parts.append(told_time(found, '<', utc_moment(var('earliest_timestamp')))) %}
        {% endif %}
    {% endfor %}
    {% set open = is_open(node, present, operational_engine()) %}
    {% if open %}
        {% do parts.append(open) %}
        {% set closed = keys_no_longer_open(relation, node, present, parts | join(' or ')) %}
        {% if closed | length > most_keys_by_name() %}
            {{ return(none) }}
        {% elif closed %}
            {% do parts.append(among(present[primary_key(node)[0]], closed, operational_engine())) %}
        {% endif %}
    {% endif %}
    {{ return(parts | join(' or ')) }}
{% endmacro %}

{#- Keys of rows that landing has as open and that `condition` does not find, at most one more than are asked for by name. -#}
{% macro keys_no_longer_open(relation, node, present, condition) %}
    {% set key = primary_key(node)[0] %}
    {% set found = run_query(
        'select kept._landing_id from ' ~ this ~ ' as kept left join (select ' ~ landing_id(node, true) ~ ' as _found_id from ('
        ~ rows_as_text(relation, [key], present, condition) ~ ') as stored) as found on found._found_id = kept._landing_id'
        ~ ' where not kept._is_deleted and found._found_id is null and (' ~ is_open(node, node.columns, none) ~ ') limit '
        ~ (most_keys_by_name() + 1)
    ) %}
    {% set keys = [] %}
    {% for row in found %}
        {% do keys.append(row[0][2:]) %}
    {% endfor %}
    {{ return(keys) }}
{% endmacro %}

{#- So many rows are asked for by their keys; where more have closed at once, all rows are read. -#}
{% macro most_keys_by_name() %}{{ return(1000) }}{% endmacro %}

{#-
    The condition of an open row, from the declaration's `open_while`, words by column: in the words of an engine over stored
    values, or for none over landed texts. None where no row is ever open.
-#}
{% macro is_open(node, columns, engine) %}
    {% set parts = [] %}
    {% for name, words in node.config.meta.get('open_while', {}).items() if name in columns %}
        {% set column = quote_name(columns[name].name, engine or target.type) %}
        {% if engine and not is_text(columns[name]) %}
            {% set column = context[engine ~ '__stored_cell'](column, columns[name].dtype | lower) %}
        {% endif %}
        {% if none in words %}
            {% do parts.append(column ~ ' is null') %}
        {% endif %}
        {% do parts.append(column ~ " in ('" ~ words | reject('none') | join("', '") ~ "')") %}
    {% endfor %}
    {{ return(parts | join(' or ')) }}
{% endmacro %}

{% macro among(column, texts, engine) %}
    {% set literals = [] %}
    {% for text in texts %}
        {% set text = text | replace("'", "''") %}
        {% do literals.append("'" ~ (text | replace('\\', '\\\\') if engine == 'mysql' else text) ~ "'") %}
    {% endfor %}
    {{ return(quote_name(column.name, engine) ~ ' in (' ~ literals | join(', ') ~ ')') }}
{% endmacro %}

{#- A text with an offset may name a moment this much earlier or later than its digits say. -#}
{% macro stored_offset() %}{{ return(modules.datetime.timedelta(hours=16)) }}{% endmacro %}

{#- Whether a stored column can be compared with a time. -#}
{% macro is_time_or_text(column) %}
    {% set type = column.dtype | lower %}
    {{ return(is_text(column) or type.startswith('timestamp') or type.startswith('date')) }}
{% endmacro %}

{#- Whether a stored column can be compared with a text as it stands. SQLite compares whatever it holds. -#}
{% macro is_text(column) %}
    {% set type = column.dtype | lower %}
    {{ return(operational_engine() == 'sqlite' or 'char' in type or type == 'text') }}
{% endmacro %}

{#-
    Whether a stored time lies before or after a moment, in the words of the database that holds it. Texts sort as their digits
    do; between day and hour `T` sorts behind the blank, and the moment has the one with which at most a day more is read. What
    is no time at all sorts before the first accepted year (numbers, nothing, a blank) or behind all years (letters, bytes).
-#}
{% macro told_time(column, operator, moment) %}
    {% set engine = operational_engine() %}
    {% set name = quote_name(column.name, engine) %}
    {{ return(for_dialect('told_time', engine)(name, column.dtype | lower, operator, moment.isoformat('T' if operator == '<' else ' ', 'seconds'))) }}
{% endmacro %}

{% macro sqlite__told_time(column, type, operator, text) %}{{ return(column ~ ' ' ~ operator ~ " '" ~ text ~ "'") }}{% endmacro %}

{% macro duckdb__told_time(column, type, operator, text) %}{{ return(column ~ ' ' ~ operator ~ " '" ~ text ~ "'") }}{% endmacro %}

{% macro mysql__told_time(column, type, operator, text) %}{{ return(column ~ ' ' ~ operator ~ " '" ~ text ~ "'") }}{% endmacro %}

{#- Texts sort by byte, whatever language the server speaks; a time with a zone is compared in UTC, whatever zone it is in. -#}
{% macro postgres__told_time(column, type, operator, text) %}
    {% if type in ('timestamp with time zone', 'timestamptz') %}
        {{ return(column ~ ' ' ~ operator ~ " timestamptz '" ~ text ~ "+00'") }}
    {% elif type.startswith('timestamp') or type == 'date' %}
        {{ return(column ~ ' ' ~ operator ~ " timestamp '" ~ text ~ "'") }}
    {% endif %}
    {{ return(column ~ ' collate "C" ' ~ operator ~ " '" ~ text ~ "'") }}
{% endmacro %}
