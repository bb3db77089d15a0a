{#-
    No row of an append-only or immutable table was changed or deleted since a refresh first read it. For engines that
    can't refuse the change; severity warn, because what happened can't be undone by stopping the cube.
-#}
{% test never_changes(model) %}
    {{ config(severity='warn') }}
    select
        case when _is_deleted then 'a row is never deleted' else 'a row is never updated' end as rule,
        _landing_id as row_key,
        _changed_at as found
    from {{ model }}
    where _changed_at > _first_seen_at
{% endtest %}
