{#- The contract that asked for a benchmark: its writers put `contract:<id>`, or the bare id, into triggered_by. -#}
{% macro benchmarked_contract(triggered_by) %}
    {{ return(
        "case when trim(" ~ triggered_by ~ ") like 'contract:%' then substr(trim(" ~ triggered_by ~ "), 10)"
        ~ " else nullif(trim(" ~ triggered_by ~ "), '') end"
    ) }}
{% endmacro %}
