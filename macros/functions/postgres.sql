{#- The SQL functions of PostgreSQL; each answers as the readers of DuckDB and `grace_dbt/sqlite_functions.py` do. -#}

{#-
    The patterns keep out what PostgreSQL reads besides: 'infinity', 'now', years BC, zone names, one-digit months, 24:00,
    60 seconds. The plain spelling comes first: nearly every row has it. Microseconds are cut, where a cast would round.
-#}
{% macro postgres_utc_timestamp() %}
    {% set clock = '(?:[01][0-9]|2[0-3]):[0-5][0-9]' %}
    create or replace function {{ function_name('utc_timestamp') }}(stored text) returns timestamp
    language plpgsql immutable strict as $$
    declare
        part text[];
    begin
        if stored ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]{{ clock }}:[0-5][0-9](\.[0-9]{1,6})?$' then
            return cast(stored as timestamp);
        end if;
        part := regexp_match(
            stored,
            '^[ \t\r\n\f\v]*([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]({{ clock }}(?::[0-5][0-9](?:\.[0-9]{1,9})?)?))?'
            '(?: ?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?))?[ \t\r\n\f\v]*$'
        );
        return cast(part[1] || ' ' || coalesce(left(part[2], 15), '00:00') as timestamp) - make_interval(
            hours => cast(coalesce(part[3] || part[4], '0') as integer),
            mins => cast(coalesce(part[3] || part[5], '0') as integer)
        );
    exception when data_exception then
        return null;
    end
    $$
{% endmacro %}

{#- PostgreSQL refuses a number that is too small to hold like one that is too large; elsewhere the small one is 0. -#}
{% macro postgres_try_real() %}
    create or replace function {{ function_name('try_real') }}(stored text) returns double precision
    language plpgsql immutable strict as $$
    begin
        if stored ~ '^[ \t\r\n\f\v]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\r\n\f\v]*$' then
            return case when abs(cast(stored as double precision)) <= 1e100 then cast(stored as double precision) end;
        end if;
        return null;
    exception when numeric_value_out_of_range then
        return case when stored ~* 'e-' then 0 end;
    end
    $$
{% endmacro %}

{#-
    Readers of stored JSON. A key that stands twice counts the first time, as on the other engines; a text that holds the
    NUL character, which PostgreSQL can't keep, counts as none.
-#}
{% macro postgres_json_functions() %}
    create or replace function {{ function_name('is_json') }}(stored text) returns boolean
    language plpgsql immutable strict as $$
    begin
        perform cast(stored as json);
        if stored ~* '\\ud[89a-f]' then
            perform cast(stored as jsonb);  -- Half a surrogate pair is no character, which json looks at too late.
        end if;
        return true;
    exception when data_exception or statement_too_complex then
        return false;
    end
    $$;

    create or replace function {{ function_name('json_minified') }}(stored text) returns text
    language plpgsql immutable strict as $$
    begin
        return regexp_replace(
            cast(cast(stored as json) as text), '("(?:[^"\\]|\\.)*")|[ \t\r\n]+', '\1', 'g'
        );
    exception when data_exception or statement_too_complex then
        return null;
    end
    $$;

    create or replace function {{ function_name('json_text') }}(stored text, name text) returns text
    language plpgsql immutable strict as $$
    declare
        found json;
    begin
        found := (select member.value from json_each(cast(stored as json)) as member where member.key = name limit 1);
        return case json_typeof(found)
            when 'null' then null
            when 'string' then found #>> '{}'
            else {{ function_name('json_minified') }}(cast(found as text))
        end;
    exception when data_exception or statement_too_complex then
        return null;
    end
    $$;

    create or replace function {{ function_name('json_largest_number') }}(stored text) returns double precision
    language plpgsql immutable strict as $$
    begin
        return (
            select max(abs({{ function_name('try_real') }}(cast(member.value as text))))
            from json_each(cast(stored as json)) as member
            where json_typeof(member.value) = 'number'
        );
    exception when data_exception or statement_too_complex then
        return null;
    end
    $$
{% endmacro %}
