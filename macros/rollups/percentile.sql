{#-
    A percentile out of counted buckets: the smallest bucket at which the running count reaches its share of all (nearest rank).
    In whole numbers, so that a share exactly at a border falls on the same bucket on every engine.
-#}
{% macro percentile(percent, bucket, running_count, total) %}
    {{ return(
        'min(case when ' ~ running_count ~ ' * 100 >= ' ~ percent ~ ' * ' ~ total ~ ' then ' ~ bucket ~ ' end)'
    ) }}
{% endmacro %}
