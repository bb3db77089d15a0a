{#-
    The hash of what an entry of the audit log says: SHA-256 of its JSON as Python writes it, keys sorted; NULL where the stored
    JSON can't be read. Which number, which of two equal keys and which order of keys a JSON text means there, only Python can
    say: on the engines that call it, it is asked once a row, and PostgreSQL looks up what `settle_contents` has asked.
-#}
{% macro audit_content_hash() %}{{ return(adapter.dispatch('audit_content_hash', 'grace')()) }}{% endmacro %}

{% macro default__audit_content_hash() %}
    {% set columns = ['entry_id', 'category', 'data_json', 'transparency_level', 'timestamp'] %}
    {{ return('stored_content_hash(' ~ quote_names(columns, target.type) ~ ')') }}
{% endmacro %}

{% macro postgres__audit_content_hash() %}{{ return(sha256_hex('_settled_content')) }}{% endmacro %}
