{#-
    The named columns of an operational table, each as the text it is stored as: typed tables and a live SQLite file,
    which arrives as text throughout, then read alike. None where a column is not there, or the whole table: adopted
    databases are old, and what is missing is told by the table's own contract.
-#}
{% macro stored_text(relation, columns) %}
    {% set present = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list %}
    {% if columns | reject('in', present) | list %}
        {{ return(none) }}
    {% endif %}
    {% set texts = [] %}
    {% for name in columns %}
        {% do texts.append(as_text(adapter.quote(name)) ~ ' as ' ~ adapter.quote(name)) %}
    {% endfor %}
    {{ return('select ' ~ texts | join(', ') ~ ' from ' ~ relation) }}
{% endmacro %}
