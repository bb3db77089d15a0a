{#-
    The rows of a landing model that staging has to read: all of them when the table is made, later those that it doesn't hold
    as they are now. Both sides carry the clock of the run that landed a row: a clock that the table lacks has never been
    read, whichever run wrote it and however that run ended. With `all_of_a_key` rows that share a key are read as well.
-#}
{% macro landed(landing, all_of_a_key=false) %}
    select *
    from {{ landing }}
    where {{ 'not _is_deleted' if all_of_a_key else is_landed() }}{% if is_incremental() %} and ({{ is_unread(this) }} or {{ may_have_become_due(landing) }}){% endif %}
{% endmacro %}

{#- A landed row of a run from which this table has none. -#}
{% macro is_unread(staged) %}
    {{ return('_changed_at not in (select distinct _changed_at from ' ~ staged ~ ')') }}
{% endmacro %}

{#-
    A row with a time that lay in the future when it was landed: it is read again, because what was outside the accepted span
    then may lie in it now. Such a row is flagged, so that hardly any is looked at.
-#}
{% macro may_have_become_due(landing) %}
    {% if not execute %}{{ return('1 = 0') }}{% endif %}
    {% set times = [] %}
    {% for name in declared_times(landing.identifier | replace('land_', '')) %}
        {% do times.append('(' ~ parse_timestamp(adapter.quote(name)) ~ ') > _changed_at') %}
    {% endfor %}
    {{ return('(_has_finding and (' ~ (times | join(' or ') or '1 = 0') ~ '))') }}
{% endmacro %}

{#- The columns of a declared table that hold a time. -#}
{% macro declared_times(table) %}
    {% set names = [] %}
    {% for column in declared_table(table).columns.values() if column.data_type == 'timestamp' or column.config.meta.get('format') == 'timestamp' %}
        {% do names.append(column.name) %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}

{#-
    The incremental strategy of staging. What was read replaces what stood there. Rows that are gone from the source were
    landed anew, marked deleted, and are not read; rows of a clock that landing no longer has belong to a landing table that
    was made anew.
-#}
{% macro get_incremental_by_landing_sql(arguments) %}
    {% set staged, read, landing = arguments.target_relation, arguments.temp_relation, ref(model.refs[0].name) %}
    delete from {{ staged }}
    where
        _landing_id in (
            select _landing_id from {{ read }}
            union all
            select _landing_id from {{ landing }} where {{ is_unread(staged) }}
        )
        or _changed_at not in (select distinct _changed_at from {{ landing }});

    insert into {{ staged }}
    select * from {{ read }}
{% endmacro %}
