{#-
    Rows of unit tests on SQLite: most columns that a query made have no type there, and a cast to none turns every word into 0. A
    text that reads as a number or a truth value is taken for one (rows written as csv are all text); any other stays as it is. Expected
    real numbers that are whole (3.0) lose their point on the way here, so a test had better expect 3.25.
-#}
{% macro sqlite__safe_cast(field, type) %}
    {% set text = (field | string)[1:-1] %}
    {% if type in ('TEXT', 'INT', 'REAL') %}
        {{ return('cast(' ~ field ~ ' as ' ~ type ~ ')') }}
    {% elif text in ('true', 'false') %}
        {{ return("1" if text == "true" else "0") }}
    {% elif (field | string)[:1] == "'" and modules.re.fullmatch('-?(0|[1-9][0-9]*)([.][0-9]+)?', text) %}
        {{ return(text) }}
    {% endif %}
    {{ return(field) }}
{% endmacro %}
