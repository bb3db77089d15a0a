{#-
    The names of the columns that landing reads: all but those that the declaration keeps out with `landed: false`. That is content
    which no model needs (what was remembered, asked or answered), and which is best left where it is.
-#}
{% macro landed_columns(node) %}
    {% set names = [] %}
    {% for column in node.columns.values() if column.config.meta.get('landed', true) %}
        {% do names.append(column.name) %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}
