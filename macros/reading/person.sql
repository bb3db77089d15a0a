{#-
    A text from a column that names people, in the spelling that triggered_by uses: a bare name is a user's, so that who
    approves and who starts are one actor. NULL where empty.
-#}
{% macro person(column) %}
    {% set name = "nullif(" ~ trimmed(column) ~ ", '')" %}
    {{ return("case when " ~ mark_position(name, ':') ~ " > 0 then " ~ name ~ " else 'user:' || " ~ name ~ " end") }}
{% endmacro %}
