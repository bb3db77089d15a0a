{#-
    The query of a `{% call %}` block where everything it imports is there, else one without rows: a row must not be
    accused because the table that would clear it was never made.
-#}
{% macro when_present(imports) %}
    {% if none in imports %}
        select null as rule, null as row_key, null as found where 1 = 0
    {% else %}
        {{ caller() }}
    {% endif %}
{% endmacro %}
