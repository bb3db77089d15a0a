{#-
    The incremental strategy of facts: the model says what the whole table holds now, and only rows that differ are written,
    gone ones included. Whatever made a row differ (the source, a version of a dimension that opened, a rule), it is
    found: an incremental run and a full one can't disagree. The price is the model's own query over the typed rows.
-#}
{% macro get_incremental_by_content_sql(arguments) %}
    {{ return(adapter.dispatch('replace_what_differs', 'grace')(
        arguments.target_relation, arguments.temp_relation, arguments.unique_key
    )) }}
{% endmacro %}

{#- NULL equals NULL under `except`, so that rows are compared as they are; the key is never NULL. -#}
{% macro default__replace_what_differs(target_relation, temp_relation, unique_key) %}
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
    By the key and a hash of the row, as landing tells a change: a third of the time of `except` over all columns. The hash is
    taken in the order of the declared columns, whatever order a table has.
-#}
{% macro duckdb__replace_what_differs(target_relation, temp_relation, unique_key) %}
    {% set row = '(' ~ unique_key ~ ', hash(' ~ model.columns.values() | map(attribute='name') | join(', ') ~ '))' %}
    delete from {{ target_relation }}
    where {{ row }} not in (select {{ row }} from {{ temp_relation }});

    insert into {{ target_relation }} by name
    select *
    from {{ temp_relation }}
    where not exists (
        select 1
        from {{ target_relation }} as kept
        where kept.{{ unique_key }} = {{ temp_relation }}.{{ unique_key }}
    )
{% endmacro %}
