{#-
    MySQL 8 and MariaDB 10.11. Text compares by its bytes, trailing blanks included; a text that stands in a key is a
    VARCHAR, since nothing longer can be indexed whole. Times are UTC by convention: DATETIME knows no zone.
-#}

{% macro mysql__quote_mark() %}{{ return('`') }}{% endmacro %}

{% macro mysql__ddl_type(logical, in_key=false, hashed=false) %}
    {{ return({
        'text': 'varchar(255)' if in_key else 'longtext', 'integer': 'bigint', 'real': 'double', 'boolean': 'boolean',
        'timestamp': 'datetime(6)', 'json': 'longtext' if hashed else 'json', 'blob': 'longblob'
    }[logical]) }}
{% endmacro %}

{% macro mysql__automatic_key() %}{{ return('auto_increment') }}{% endmacro %}

{#- Only in brackets a long text may have a default; CURRENT_TIMESTAMP would be the local time of the session. -#}
{% macro mysql__ddl_default(value) %}
    {{ return('(utc_timestamp(6))' if value == 'CURRENT_TIMESTAMP' else '(' ~ value ~ ')') }}
{% endmacro %}

{#- MySQL reads a reference behind a column, and forgets it. -#}
{% macro mysql__references_stand_apart() %}{{ return(true) }}{% endmacro %}

{#- A cascade fires no trigger here: the parent of a row that never changes can't be deleted. -#}
{% macro mysql__ddl_reference(foreign, node, schema) %}
    {% set action = foreign.expression or '' %}
    {% if action and node.config.meta.mutability != 'mutable' %}
        {% set action = 'on delete restrict' %}
    {% endif %}
    {{ return(
        ('references ' ~ qualify_name(foreign.to, 'mysql', schema) ~ ' (' ~ quote_names(foreign.to_columns, 'mysql') ~ ') ' ~ action) | trim
    ) }}
{% endmacro %}

{#- The binary collation that does not pad: 'a ' is not 'a'. -#}
{% macro mysql__table_options(node) %}{{ return(mysql_table_options(node, 'utf8mb4_0900_bin')) }}{% endmacro %}

{% macro mariadb__table_options(node) %}{{ return(mysql_table_options(node, 'utf8mb4_nopad_bin')) }}{% endmacro %}

{% macro mysql_table_options(node, collation) %}
    {{ return(
        ' engine = InnoDB default character set utf8mb4 collate ' ~ collation ~ " comment = '" ~ table_comment(node) ~ "'"
    ) }}
{% endmacro %}

{#- MySQL can't be asked to skip an index that is there: `init` looks first, a script is for an empty database. -#}
{% macro mysql__ddl_index_target(name, table, schema) %}
    {{ return(quote_name(name, 'mysql') ~ ' on ' ~ qualify_name(table, 'mysql', schema)) }}
{% endmacro %}

{% macro mariadb__ddl_index_target(name, table, schema) %}
    {{ return('if not exists ' ~ mysql__ddl_index_target(name, table, schema)) }}
{% endmacro %}

{#-
    UPDATE and DELETE fail by trigger; REPLACE fires the one, ON DUPLICATE KEY UPDATE the other. TRUNCATE fires none, but is
    refused for a table that another one references: an empty table does that.
-#}
{% macro mysql__plan_immutability(node, schema) %}{{ return(mysql_plan_immutability(node, schema, 'mysql')) }}{% endmacro %}

{% macro mariadb__plan_immutability(node, schema) %}{{ return(mysql_plan_immutability(node, schema, 'mariadb')) }}{% endmacro %}

{% macro mysql_plan_immutability(node, schema, dialect) %}
    {% set plan = [] %}
    {% for event in ['update', 'delete'] %}
        {% set name = node.name ~ '__never_' ~ event ~ 'd' %}
        {% do plan.append({
            'name': name,
            'sql': 'create trigger if not exists ' ~ qualify_name(name, 'mysql', schema) ~ ' before ' ~ event ~ ' on '
                ~ qualify_name(node.name, 'mysql', schema) ~ " for each row signal sqlstate '45000' set message_text = '"
                ~ immutability_rule(node) ~ ': a row is never ' ~ event ~ "d'"
        }) %}
    {% endfor %}
    {% set key = node.columns[primary_key(node)[0]] %}
    {% set name = node.name ~ '__never_truncated' %}
    {% do plan.append({
        'kind': 'guard', 'name': name,
        'sql': 'create table if not exists ' ~ qualify_name(name, 'mysql', schema) ~ ' (\n    '
            ~ quote_name(key.name, 'mysql') ~ ' ' ~ mysql__ddl_type(key.data_type, in_key=true) ~ ' primary key,\n    foreign key ('
            ~ quote_name(key.name, 'mysql') ~ ') references ' ~ qualify_name(node.name, 'mysql', schema) ~ ' ('
            ~ quote_name(key.name, 'mysql') ~ ')\n)' ~ for_dialect('table_options', dialect)(node)
    }) %}
    {{ return(plan) }}
{% endmacro %}

{% macro mysql__plan_comment(node, schema) %}{{ return([]) }}{% endmacro %}

{% macro mysql__addable_column(column, node) %}{{ return(plain_addable_column(column, node, 'mysql')) }}{% endmacro %}

{% macro mysql__plan_set_default(column, node) %}{{ return(plan_set_default(column, node, 'mysql')) }}{% endmacro %}
