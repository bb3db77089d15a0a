{#-
    What to order by where the row written first counts: ids are numbers kept as text. A text that is no number stands behind
    them all, by its bytes, so that every engine picks the same row.
-#}
{% macro number_order(id) %}
    {% set number = read_integer(id) %}
    {{ return('case when ' ~ number ~ ' is null then 1 else 0 end, ' ~ number ~ ', ' ~ byte_order(id)) }}
{% endmacro %}
