{#- Column names such as offset, user, trigger and references are reserved words somewhere: every name is always quoted. -#}
{% macro quote_name(name, dialect) %}
    {% set mark = for_dialect('quote_mark', dialect)() %}
    {{ return(mark ~ name | replace(mark, mark ~ mark) ~ mark) }}
{% endmacro %}

{% macro quote_names(names, dialect) %}
    {% set quoted = [] %}
    {% for name in names %}
        {% do quoted.append(quote_name(name, dialect)) %}
    {% endfor %}
    {{ return(quoted | join(', ')) }}
{% endmacro %}

{% macro qualify_name(name, dialect, schema=none) %}
    {{ return((quote_name(schema, dialect) ~ '.' if schema else '') ~ quote_name(name, dialect)) }}
{% endmacro %}
