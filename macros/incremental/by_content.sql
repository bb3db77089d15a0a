{#-
    The incremental strategy of facts: the model says what the whole table holds now, and only rows that differ are written,
    gone ones included. Whatever made a row differ (the source, a version of a dimension that opened, a rule), it is
    found: an incremental run and a full one can't disagree. The price is the model's own query over the typed rows.
-#}
{% macro get_incremental_by_content_sql(arguments) %}
    {{ return(replace_what_differs(arguments.target_relation, arguments.temp_relation, arguments.unique_key)) }}
{% endmacro %}

{#- NULL equals NULL under `except`, so that rows are compared as they are; the key is never NULL. -#}
{% macro replace_what_differs(target_relation, temp_relation, unique_key) %}
    {% set columns = adapter.get_columns_in_relation(target_relation) | map(attribute='quoted') | join(', ') %}
    delete from {{ target_relation }}
    where {{ unique_key }} in (
        select {{ unique_key }}
        from (
            select {{ columns }} from {{ target_relation }}
            except
            select {{ columns }} from {{ temp_relation }}
        ) as differing
    );

    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ temp_relation }}
    where not exists (
        select 1
        from {{ target_relation }} as kept
        where kept.{{ unique_key }} = {{ temp_relation }}.{{ unique_key }}
    )
{% endmacro %}

{#-
    The same on DuckDB, where the rows that stay are never written down: kept of them is the key. Rows are told apart as landing
    does it, by a hash, here together with the key.
-#}
{% macro duckdb_replace_what_differs(relation, sql) %}
    {% set read = api.Relation.create(identifier=relation.identifier ~ '__read') %}
    {% set unique_key = config.require('unique_key') %}
    {% set row = '(' ~ unique_key ~ ', hash(' ~ model.columns.values() | map(attribute='name') | join(', ') ~ '))' %}
    create or replace temporary table {{ read }} as (
        select
            {{ unique_key }},
            case when {{ row }} not in (select {{ row }} from {{ relation }}) then whole_row end as differing
        from ({{ sql }}) as whole_row
    );
    {{ stop_on_other_columns('(select unnest(differing) from ' ~ read ~ ')', relation) }};
    delete from {{ relation }}
    where
        {{ unique_key }} not in (select {{ unique_key }} from {{ read }})
        or {{ unique_key }} in (select {{ unique_key }} from {{ read }} where differing is not null);

    insert into {{ relation }} by name
    select unnest(differing)
    from {{ read }}
    where differing is not null;
    drop table {{ read }}
{% endmacro %}
