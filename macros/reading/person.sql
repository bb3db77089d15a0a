{#-
    A text from a column that names people, in the spelling that triggered_by uses: a bare name is a user's, so that who
    approves and who starts are one actor. NULL where empty, and for the word unknown, which names nobody.
-#}
{% macro person(column) %}
    {% set name = "nullif(nullif(" ~ trimmed(column) ~ ", ''), 'unknown')" %}
    {{ return("case when " ~ mark_position(name, ':') ~ " > 0 then " ~ name ~ " else 'user:' || " ~ name ~ " end") }}
{% endmacro %}
