{#- The mission that an action reports to: `mission:<id>` in triggered_by, in any case of the prefix; NULL for any other. -#}
{% macro reported_mission(triggered_by) %}
    {{ return(
        "case when lower(substr(" ~ trimmed(triggered_by) ~ ", 1, 8)) = 'mission:' then nullif("
        ~ trimmed('substr(' ~ trimmed(triggered_by) ~ ', 9)') ~ ", '') end"
    ) }}
{% endmacro %}
