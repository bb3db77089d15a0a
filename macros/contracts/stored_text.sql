{#-
    The named columns of an operational table, each as the text it is stored as. None where a column is not there, or the
    whole table: adopted databases are old, and what is missing is told by the table's own contract.
-#}
{% macro stored_text(relation, columns) %}
    {% set present = present_columns(relation) %}
    {{ return(none if columns | reject('in', present) | list else rows_as_text(relation, columns, present)) }}
{% endmacro %}
