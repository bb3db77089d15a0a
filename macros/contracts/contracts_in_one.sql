{#-
    The contracts of models in one query: a row for each that is broken, as rule and how many rows break it. They are the
    generic tests that the YAML declares, each rendered by its own macro with its own arguments, so that nothing is said twice;
    what is saved is dbt's cost for each node, by far the greater part. Var `contracts_of` says whose contracts count, by name;
    without it those of all models do.

    Nothing is asked in `dbt build`, which runs contracts one by one and would come here before the models are made, nor in a `dbt test`
    that selects one of them.
-#}
{% macro contracts_in_one(severity) %}
    {% set nothing = 'select null as rule, 0 as failures where 1 = 0' %}
    {% if not execute or flags.WHICH == 'build' %}{{ return(nothing) }}{% endif %}
    {% set owners = var('contracts_of', none) %}
    {% set queries = [] %}
    {% for test in contracts_of_severity(severity) %}
        {% set owner = graph.nodes[test.attached_node] %}
        {% if test.unique_id in selected_resources %}{{ return(nothing) }}{% endif %}
        {% if owners is none or owner.name in owners %}
            {% set arguments = {} %}
            {% for name, value in test.test_metadata.kwargs.items() %}
                {% do arguments.update({name: contracted(owner.name, test.config.where) if name == 'model' else value}) %}
            {% endfor %}
            {% do queries.append(
                "select '" ~ test.name ~ "' as rule, failures from (select count(*) as failures from ("
                ~ context['test_' ~ test.test_metadata.name](**arguments) ~ ') as broken) as counted where failures > 0'
            ) %}
        {% endif %}
    {% endfor %}
    {{ return(queries | join('\nunion all\n') or nothing) }}
{% endmacro %}

{#- The generic tests of models and snapshots that have this severity. -#}
{% macro contracts_of_severity(severity) %}
    {% set found = [] %}
    {% for test in graph.nodes.values() | selectattr('resource_type', 'equalto', 'test') | selectattr('attached_node') %}
        {% if graph.nodes[test.attached_node].resource_type in ('model', 'snapshot') and test.config.severity | lower == severity %}
            {% do found.append(test) %}
        {% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- What a test reads: the relation, or those rows of it that its `where` leaves. -#}
{% macro contracted(name, condition) %}
    {% set relation = relation_of(name) %}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ condition ~ ') as dbt_subquery' if condition else relation) }}
{% endmacro %}

{#-
    The relation of a model, for a contract. A `ref` would tie the one query of all contracts to every model, and so to every
    selection; while dbt parses, this is the `ref` that puts a contract of its own behind what it reads.
-#}
{% macro relation_of(name) %}
    {% if not execute %}{{ return(ref(name)) }}{% endif %}
    {% set node = graph.nodes.values() | selectattr('resource_type', 'in', ('model', 'snapshot', 'seed')) | selectattr('name', 'equalto', name) | first %}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{% endmacro %}
