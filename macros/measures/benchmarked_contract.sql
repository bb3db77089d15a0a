{#- The contract that asked for a benchmark: its writers put `contract:<id>`, or the bare id, into triggered_by. -#}
{% macro benchmarked_contract(triggered_by) %}
    {{ return(
        "case when substr(" ~ trimmed(triggered_by) ~ ", 1, 9) = 'contract:' then substr(" ~ trimmed(triggered_by) ~ ", 10)"
        ~ " else nullif(" ~ trimmed(triggered_by) ~ ", '') end"
    ) }}
{% endmacro %}
