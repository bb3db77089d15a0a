{#- Every operational table of the declaration, a parent always before the tables that reference it. -#}
{% macro declared_tables() %}
    {% set waiting = [] %}
    {% for node in graph.sources.values() | sort(attribute='name') if node.original_file_path.startswith('models/operational/') %}
        {% do waiting.append(node) %}
    {% endfor %}
    {% set ordered = [] %}
    {% set placed = [] %}
    {% for _ in range(waiting | length) if waiting %}
        {% set ready = [] %}
        {% for node in waiting %}
            {% set missing = [] %}
            {% for foreign in foreign_keys(node) if foreign.to not in placed and foreign.to != node.name %}
                {% do missing.append(foreign.to) %}
            {% endfor %}
            {% if not missing %}
                {% do ready.append(node) %}
            {% endif %}
        {% endfor %}
        {% if not ready %}
            {{ exceptions.raise_compiler_error(
                "foreign keys go round in a circle, or to an undeclared table: " ~ waiting | map(attribute='name') | join(', ')
            ) }}
        {% endif %}
        {% for node in ready %}
            {% do waiting.remove(node) %}
            {% do ordered.append(node) %}
            {% do placed.append(node.name) %}
        {% endfor %}
    {% endfor %}
    {{ return(ordered) }}
{% endmacro %}
