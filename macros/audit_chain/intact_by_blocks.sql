{#-
    The one segment of a chain that is intact, as `audit_status` tells it; none where there is anything to tell, which takes a
    look at the chain as a whole. Looked at are so many entries at a time as fit into memory: by count, first and last position
    it is known beforehand that every place is taken once, so that no block needs another one than its own and the entry before.
-#}
{% macro intact_by_blocks(chain, relation, node, present) %}
    {% set at_once = 524288 %}
    {% set engine = operational_engine() %}
    {% set position = quote_name(present[chain.position].name, engine) %}
    {% set place = relation if engine == target.type else qualify_name(
        relation.identifier, engine, none if engine == 'sqlite' else relation.schema
    ) %}
    {% set ends = [] %}
    {% for end in ('min', 'max') %}
        {% do ends.append(context[engine ~ '__stored_cell'](end ~ '(' ~ position ~ ')', present[chain.position].dtype | lower) ~ ' as ' ~ end ~ '_place') %}
    {% endfor %}
    {% set found = run_query(asked_natively(relation, 'select ' ~ ends | join(', ') ~ ', count(*) as entries from ' ~ place))[0] %}
    {% set first, last, entries = found[0] | string, found[1] | string, found[2] | int %}
    {% if first != chain.first | string or last != (chain.first + entries - 1) | string %}
        {{ return(none) }}
    {% endif %}
    {% set last = last | int %}
    {% set block = 'audit_block' %}
    {% for begin in range(chain.first, last + 1, at_once) %}
        {% set here = position ~ ' >= ' ~ (begin - 1) ~ ' and ' ~ position ~ ' < ' ~ [begin + at_once, last + 1] | min %}
        {% do make_scratch_table(block, sealed_entries(chain, stored_texts(relation, node, present, here, {}), chain.key)) %}
        {% set placed = audit_placed(dict(chain, begins_anew=false), block, none) %}
        {% set something = run_query(
            'select 1 from (' ~ audit_cases(chain, placed) ~ ') as cases where position >= ' ~ begin
            ~ ' and not (position = ' ~ chain.first ~ " and previous = '" ~ chain.genesis
            ~ "' and content is null and trouble is null) union all select 1 from " ~ block
            ~ ' where position is null or trouble is not null limit 1'
        ).rows %}
        {% if something %}
            {{ return(none) }}
        {% endif %}
    {% endfor %}
    {% set heads = run_query('select seal from ' ~ block ~ ' where position = ' ~ last).rows %}
    {{ return({
        'chain': chain.name, 'segment': 1, 'first_position': chain.first, 'last_position': last, 'entries': entries,
        'head_hash': heads[0][0], 'verdict': 'intact', 'findings': 0, 'first_bad_position': none
    } if heads | length == 1 else none) }}
{% endmacro %}
