{#- The percentages of traffic that a canary walks through, in order. -#}
{% macro canary_shares() %}{{ return([5, 25, 50, 100]) }}{% endmacro %}
