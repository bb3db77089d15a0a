{#-
    Tables and incremental models on DuckDB, in one batch of statements and one transaction each. dbt-duckdb's own bodies ask the
    catalogue, rename and describe in up to sixteen statements a model, which cost more than the model where little changed.
    Left out is what no model of ours has: indexes, grants, partitions, foreign keys, Python. Comments are written when a
    table is made; another version of the project makes every table anew.
-#}
{% materialization table, adapter='duckdb' %}
    {% set relation = this.incorporate(type='table') %}
    {% do drop_other_type(load_cached_relation(this), 'table') %}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        {{ create_whole_table(relation, compiled_code) }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb' %}
    {% set relation = this.incorporate(type='table') %}
    {% set existing = load_cached_relation(this) %}
    {% do drop_other_type(existing, 'table') %}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        {{ write_what_is_new(relation, compiled_code) if is_incremental() else create_whole_table(relation, compiled_code) }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#- A view cannot be replaced by a table. -#}
{% macro drop_other_type(existing, type) %}
    {% if existing and existing.type != type %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
{% endmacro %}

{#- The statements that make a table anew, with its comments; under a contract with the declared types, which the query has to give. -#}
{% macro create_whole_table(relation, sql) %}
    {% if config.get('contract').enforced %}
        create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
        {{ stop_on_other_columns('(' ~ sql ~ ')', relation) }};
        {{ comments_on_table(relation) }}
        insert into {{ relation }} by name ({{ sql }})
    {% else %}
        create or replace table {{ relation }} as ({{ sql }});
        {{ comments_on_table(relation) }}
    {% endif %}
{% endmacro %}

{#- The statements that bring a table up to date, by the strategy of its model. -#}
{% macro write_what_is_new(relation, sql) %}
    {% if config.get('incremental_strategy') == 'by_content' %}{{ return(duckdb_replace_what_differs(relation, sql)) }}{% endif %}
    {% set read = api.Relation.create(identifier=relation.identifier ~ '__read') %}
    {% set strategy = adapter.get_incremental_strategy_macro(context, config.require('incremental_strategy')) %}
    create or replace temporary table {{ read }} as ({{ sql }});
    {{ stop_on_other_columns(read, relation) }};
    {{ strategy({
        'target_relation': relation, 'temp_relation': read, 'unique_key': config.require('unique_key'), 'dest_columns': none,
        'incremental_predicates': none
    }) }};
    drop table {{ read }}
{% endmacro %}

{#-
    A statement that fails where two relations, or a query and a relation, differ in a column or its type. Without it a number
    would be cast to the type of the table without a word.
-#}
{% macro stop_on_other_columns(found, declared) %}
    select error(
        '{{ declared.identifier }} does not have the columns that were declared for it: ' || string_agg(
            column_name || ' is ' || coalesce(found.column_type, 'missing') || ', declared ' || coalesce(declared.column_type, 'nowhere'),
            '; '
        )
    )
    from (describe {{ found }}) as found
    full outer join (describe {{ declared }}) as declared using (column_name)
    where found.column_type is distinct from declared.column_type
    having count(*) > 0
{% endmacro %}

{#- The description of a table and of its columns as comments, for models that persist them. -#}
{% macro comments_on_table(relation) %}
    {% if config.persist_relation_docs() and model.description %}
        {{ alter_relation_comment(relation, model.description) }}
    {% endif %}
    {% if config.persist_column_docs() %}
        {% for column in model.columns.values() if column.description %}
            comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ duckdb_escape_comment(column.description) }};
        {% endfor %}
    {% endif %}
{% endmacro %}

{#- dbt's strategy delete+insert, without a list of columns: source and target are known to have the same ones. -#}
{% macro duckdb__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) %}
    delete from {{ target }}
    where {{ unique_key }} in (select {{ unique_key }} from {{ source }});

    insert into {{ target }} by name
    select * from {{ source }}
{% endmacro %}
