{#-
    The bucket of a number of seconds, as whole microseconds: the middle of all numbers that begin with the same two digits and
    have as many of them (12345 stands in 12500), so that no value lies more than 5 % from it; below 100 each number is its own.
    Digits are taken as text: a logarithm or a power would end in another bucket on another engine, at the borders.
-#}
{% macro latency_bucket(seconds) %}
    {% set digits = 'cast(abs(' ~ whole_microseconds(seconds) ~ ') as ' ~ dbt.type_string() ~ ')' %}
    {% set size -%}
        case
            when length({{ digits }}) <= 2 then {{ digits }}
            else substr({{ digits }}, 1, 2) || substr('50000000000000000', 1, length({{ digits }}) - 2)
        end
    {%- endset %}
    {{ return(
        '(case when ' ~ seconds ~ ' < 0 then -1 else 1 end * cast(' ~ size ~ ' as ' ~ dbt.type_bigint() ~ '))'
    ) }}
{% endmacro %}

{#- Seconds as whole microseconds, which is as fine as our clocks are. -#}
{% macro whole_microseconds(seconds) %}
    {{ return('cast(round(' ~ seconds ~ ' * 1000000) as ' ~ dbt.type_bigint() ~ ')') }}
{% endmacro %}
