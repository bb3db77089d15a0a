{#-
    How a chain is built:

    - name, which is that of its table; component and key: where its entries stand, and what names one;
    - position, seal, previous, clock: the columns of its place, of what seals it, of the seal before it, and of its time;
    - first, genesis: position of a first entry, and what stands there for the seal before it;
    - begins_anew: whether a restarted writer may begin a new segment;
    - wrong_origin: what a first entry is called that stands behind another seal.

    `since` is a place, as position and seal, up to which the chain is known: what comes behind it begins there.
-#}
{% macro audit_chain(name, since=none) %}
    {% set chains = {
        'immutable_log': {
            'component': 'error', 'key': 'id', 'position': 'sequence', 'seal': 'entry_hash', 'previous': 'previous_hash',
            'clock': 'timestamp', 'first': 1, 'genesis': '0' * 64, 'begins_anew': false,
            'wrong_origin': 'genesis wrong'
        },
        'audit_logs': {
            'component': 'core', 'key': 'entry_id', 'position': 'chain_position', 'seal': 'chain_hash',
            'previous': 'previous_hash', 'clock': 'timestamp', 'first': 0, 'genesis': 'genesis', 'begins_anew': true,
            'wrong_origin': 'genesis wrong'
        }
    } %}
    {% if name not in chains %}
        {{ exceptions.raise_compiler_error("There is no chain '" ~ name ~ "'; there are: " ~ chains | join(', ')) }}
    {% endif %}
    {% set chain = dict(chains[name], name=name) %}
    {{ return(dict(
        chain, first=since.position + 1, genesis=since.seal, begins_anew=false, wrong_origin='link broken'
    ) if since else chain) }}
{% endmacro %}

{#- The chains of Grace, in the order in which they are told of. -#}
{% macro audit_chains() %}{{ return(['immutable_log', 'audit_logs']) }}{% endmacro %}
