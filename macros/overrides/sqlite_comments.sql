{#- SQLite keeps no comments: descriptions live in the docs site. -#}
{% macro sqlite__alter_relation_comment(relation, comment) %}{% endmacro %}

{% macro sqlite__alter_column_comment(relation, column_dict) %}{% endmacro %}
