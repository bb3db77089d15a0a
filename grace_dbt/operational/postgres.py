"""Operational databases on PostgreSQL."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

from grace_dbt.errors import GraceError
from grace_dbt.operational import backend
from grace_dbt.operational.backend import Backend, Row
from grace_dbt.operational.catalogue import (
    Catalogue,
    ColumnFacts,
    ForeignKeyFacts,
    IndexFacts,
    Rights,
    TableFacts,
)
from grace_dbt.operational.expected import OWN_MARK, expected_catalogue

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from grace_dbt.declaration import Table
    from grace_dbt.operational.plan import Step
    from grace_dbt.operational.url import ServerUrl

# The first with `create or replace trigger`.
_OLDEST = 140_000
# Held by every transaction of grace-dbt: the letters `grace`, as a number that others won't choose.
_LOCK_KEY = int.from_bytes(b"grace")

_KINDS = {
    "bool": "boolean",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "float4": "real",
    "float8": "real",
    "numeric": "real",
    "date": "timestamp",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
    "json": "json",
    "jsonb": "json",
    "bytea": "blob",
    "uuid": "text",
}
# Between types of one family PostgreSQL compares, and so lets a column reference another.
_FAMILIES = {
    "text": "text",
    "character varying": "text",
    "character": "text",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
}
_RELATIONS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "f": "foreign table",
    "c": "type",
}
_ACTIONS = {"c": "on delete cascade", "n": "on delete set null", "d": "on delete set default"}

_LITERAL = re.compile(r"('(?:[^']|'')*')")
_CAST = re.compile(
    r"""::(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?(?:\ varying|\ precision)?
    (?:\(\d+(?:,\d+)?\))?(?:\ with(?:out)?\ time\ zone)?(?:\[\])?""",
    re.VERBOSE,
)
_ANY_OF = re.compile(r"= ANY ARRAY\[((?:'(?:[^']|'')*'|[^\]'])*)\]")
_BETWEEN = re.compile(r"(\w+) >= (\S+) AND \1 <= (\S+)")

_HERE = "(select oid from pg_namespace where nspname = current_schema())"
_ORDERED_NAMES = (
    "array(select a.attname::text from unnest({numbers}) with ordinality as part(number, place)"
    " left join pg_attribute as a on a.attrelid = {table} and a.attnum = nullif(part.number, 0)"
    " where part.place <= {count} order by part.place)"
)
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def plain_sql(kept: str) -> str:
    """SQL as PostgreSQL keeps it, without the casts that it adds: `'a'::text` is `'a'`."""
    return _outside_literals(_CAST, kept)


def plain_condition(kept: str) -> str:
    """A condition in the words it was written in, without brackets and quotes of names.

    PostgreSQL keeps `x in (1, 2)` as `x = ANY (ARRAY[1, 2])`, and `between` as two comparisons.
    """
    bare = _outside_literals(re.compile(r'[()"]'), plain_sql(kept))
    return _BETWEEN.sub(r"\1 between \2 and \3", _ANY_OF.sub(r"in (\1)", bare))


def _outside_literals(dropped: re.Pattern[str], sql: str) -> str:
    parts = _LITERAL.split(sql)
    return "".join(part if place % 2 else dropped.sub("", part) for place, part in enumerate(parts))


def trigger_words(sql: str) -> str:
    """What a statement says of a trigger beyond its name, or the body of a function."""
    if "$$" in sql:
        return sql.split("$$")[1].strip()
    words = re.sub(r'"', "", sql).lower()
    return re.sub(r"^create (or replace )?(constraint )?trigger \S+ ", r"\2", words)


class PostgresBackend(Backend):
    """One schema of a PostgreSQL database (see `Backend`)."""

    dialect = "postgres"
    quote_mark = '"'
    value_mark = "%s"
    checks_parents = True

    def __init__(self, connection: Connection, place: str) -> None:
        """Take over an open connection; `place` names it in messages."""
        self._connection = connection
        self._place = place
        self._filled: set[str] = set()

    @classmethod
    def open(cls, url: ServerUrl, *, write: bool) -> Self:
        """Connect; the session speaks UTC, and every name means the schema of the URL."""
        import psycopg2

        options: dict[str, Any] = dict(url.tls)
        if url.password is not None:
            options["password"] = url.password
        with _explained(str(url)):
            connection = psycopg2.connect(
                host=url.host,
                port=url.port,
                user=url.user,
                dbname=url.database,
                connect_timeout=backend.CONNECT_SECONDS,
                application_name="grace-dbt",
                client_encoding="UTF8",
                **options,
            )
        opened = cls(connection, str(url))
        try:
            opened._prepare(url.namespace, write=write)
        except BaseException:
            connection.close()
            raise
        return opened

    @classmethod
    @contextmanager
    def reading_at_once(cls, url: ServerUrl) -> Iterator[Connection]:
        """A connection on which everything that is read is of one moment, and nothing can be written."""
        opened = cls.open(url, write=False)
        try:
            opened._connection.set_session("REPEATABLE READ", readonly=True, autocommit=False)
            yield opened._connection
        finally:
            opened._connection.close()

    def _prepare(self, namespace: str, *, write: bool) -> None:
        with _explained(self._place):
            self._connection.set_session(readonly=not write, autocommit=True)
        if self._connection.server_version < _OLDEST:
            raise GraceError(
                f"{self._place} is a PostgreSQL {self._connection.server_version // 10_000}.",
                f"grace-dbt needs PostgreSQL {_OLDEST // 10_000} or newer.",
            )
        settings = {
            "search_path": '"' + namespace.replace('"', '""') + '"',
            "TimeZone": "UTC",
            "DateStyle": "ISO, YMD",
            "lock_timeout": f"{backend.WAIT_SECONDS * 1000:.0f}",
        }
        for name, value in settings.items():
            self._rows("select set_config(%s, %s, false)", name, value)
        if self._rows("select current_schema()") == [(None,)]:
            raise GraceError(
                f"{self._place} has no schema {namespace} that this user may use.",
                "Create it, or grant USAGE on it; ?schema=name at the end of the URL names another.",
            )

    def expected(self, plan: Sequence[Step], declaration: Mapping[str, Table]) -> Catalogue:
        """See `Backend.expected`."""
        return expected_catalogue(
            plan, declaration, keeps_actions=lambda table: True, trigger_words=trigger_words
        )

    def fits(self, child: ColumnFacts, parent: ColumnFacts) -> bool:
        """See `Backend.fits`."""
        return _family(child) == _family(parent)

    def reflect(self, tables: Collection[str]) -> Catalogue:
        """See `Backend.reflect`; a table counts by its exact name, as the SQL of its writers means it."""
        names: dict[str, str] = {}
        definitions: dict[str, str] = {}
        relations = self._rows(
            "select c.relname, c.relkind, i.indrelid::regclass::text, obj_description(c.oid, 'pg_class')"
            " from pg_class as c left join pg_index as i on i.indexrelid = c.oid"
            f" where c.relnamespace = {_HERE}"
        )
        for name, kind, table, comment in relations:
            words = f"index on {table}" if table else _RELATIONS.get(kind, "relation")
            # Another spelling of a name is another name: it is told as it is, where nothing has the name.
            if name == name.lower():
                names[name] = words
            else:
                names.setdefault(name.lower(), f'{words} "{name}"')
            if name in tables and words == "table":
                ours = (comment or "").endswith(OWN_MARK)
                definitions[name] = OWN_MARK if ours else ""
        columns = self._columns()
        keys, references, checks = self._constraints()
        indexes = self._indexes()
        triggers = self._triggers()
        functions = self._functions()
        return Catalogue(
            {
                name: TableFacts(
                    name=name,
                    definition=definition,
                    columns=tuple(columns[name]),
                    primary_key=next((over for kind, over in keys[name] if kind == "p"), ()),
                    unique_keys=frozenset(over for kind, over in keys[name] if kind == "u"),
                    foreign_keys=frozenset(references[name]),
                    checks=tuple(checks[name]),
                    indexes=indexes[name],
                    triggers=triggers[name]
                    | {own: functions[own] for own in (f"{name}__refuse",) if own in functions},
                )
                for name, definition in definitions.items()
            },
            names,
        )

    def _columns(self) -> dict[str, list[ColumnFacts]]:
        found: dict[str, list[ColumnFacts]] = defaultdict(list)
        for table, name, declared, type_name, category, not_null, generated, default in self._rows(
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typname,"
            " t.typcategory, a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)"
            " from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
            " join pg_type as t on t.oid = a.atttypid"
            " left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum"
            f" where c.relnamespace = {_HERE} and c.relkind in ('r', 'p')"
            " and a.attnum > 0 and not a.attisdropped order by a.attnum"
        ):
            kind = _KINDS.get(type_name, "text" if category in ("S", "E") else "unknown")
            found[table].append(
                ColumnFacts(
                    name,
                    declared.replace("timestamp with time zone", "timestamptz"),
                    kind,
                    not_null,
                    _default(default, generated),
                    # jsonb is stored parsed, and char(n) is padded.
                    keeps_bytes=type_name not in ("jsonb", "bpchar"),
                )
            )
        return found

    def _constraints(
        self,
    ) -> tuple[
        dict[str, list[tuple[str, tuple[str, ...]]]],
        dict[str, list[ForeignKeyFacts]],
        dict[str, list[str]],
    ]:
        """By table: its keys with their kind, its references, and its checks."""
        keys: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        references: dict[str, list[ForeignKeyFacts]] = defaultdict(list)
        checks: dict[str, list[str]] = defaultdict(list)
        own = _ORDERED_NAMES.format(numbers="k.conkey", table="k.conrelid", count=32)
        targets = _ORDERED_NAMES.format(numbers="k.confkey", table="k.confrelid", count=32)
        for table, kind, over, parent, over_parent, action, condition in self._rows(
            f"select c.relname, k.contype, {own}, k.confrelid::regclass::text, {targets},"
            " k.confdeltype, pg_get_expr(k.conbin, k.conrelid)"
            " from pg_constraint as k join pg_class as c on c.oid = k.conrelid"
            f" where c.relnamespace = {_HERE}"
        ):
            if kind in ("p", "u"):
                keys[table].append((kind, tuple(over)))
            elif kind == "f":
                references[table].append(
                    ForeignKeyFacts(
                        tuple(over), parent, tuple(over_parent), _ACTIONS.get(action, "")
                    )
                )
            elif kind == "c":
                checks[table].append(plain_condition(condition))
        return keys, references, checks

    def _indexes(self) -> dict[str, dict[str, IndexFacts]]:
        found: dict[str, dict[str, IndexFacts]] = defaultdict(dict)
        columns = _ORDERED_NAMES.format(
            numbers="i.indkey", table="i.indrelid", count="i.indnkeyatts"
        )
        for table, name, over, unique, partial in self._rows(
            # An index whose concurrent creation failed is there, and serves nobody.
            f"select t.relname, c.relname, {columns}, i.indisunique,"
            " i.indpred is not null or not i.indisvalid"
            " from pg_index as i join pg_class as c on c.oid = i.indexrelid"
            " join pg_class as t on t.oid = i.indrelid"
            f" where t.relnamespace = {_HERE} and not i.indisprimary"
            " and not exists (select 1 from pg_constraint as k where k.conindid = i.indexrelid"
            " and k.contype = 'u')"
        ):
            found[table][name.lower()] = IndexFacts(name, tuple(over), unique, partial)
        return found

    def _triggers(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for table, name, words, enabled in self._rows(
            # The pretty form leaves out the schema that every name means here.
            "select c.relname, g.tgname, pg_get_triggerdef(g.oid, true), g.tgenabled"
            " from pg_trigger as g join pg_class as c on c.oid = g.tgrelid"
            f" where c.relnamespace = {_HERE} and not g.tgisinternal"
        ):
            fires = "" if enabled in ("O", "A") else " disabled"
            found[table][name.lower()] = trigger_words(words) + fires
        return found

    def _functions(self) -> dict[str, str]:
        return {
            name.lower(): body.strip()
            for name, body in self._rows(
                "select p.proname, p.prosrc from pg_proc as p join pg_type as t on t.oid = p.prorettype"
                f" where p.pronamespace = {_HERE} and t.typname = 'trigger'"
            )
        }

    def rights(self, tables: Collection[str]) -> Rights:
        """See `Backend.rights`."""
        [(version, creates)] = self._rows(
            "select current_setting('server_version'),"
            " has_schema_privilege(current_schema(), 'create')"
        )
        rows = self._rows(
            "select relname, has_table_privilege(oid, 'select'),"
            " has_table_privilege(oid, 'insert') and has_table_privilege(oid, 'update')"
            " and has_table_privilege(oid, 'delete')"
            f" from pg_class where relnamespace = {_HERE} and relkind in ('r', 'p')"
            " and relname = any(%s) order by relname",
            list(tables),
        )
        return Rights(
            engine=f"PostgreSQL {version.split()[0]}",
            unreadable=tuple(name for name, readable, _ in rows if not readable),
            unwritable=tuple(name for name, _, writable in rows if not writable),
            creates=creates,
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Backend.transaction`: holds off other runs of grace-dbt; Grace waits at what is changed."""
        import psycopg2

        self.execute("begin")
        try:
            self._rows("select pg_advisory_xact_lock(%s)", _LOCK_KEY)
            yield
            if self._filled:
                self._move_sequences()
            self.execute("commit")
        except BaseException:
            # The server has rolled back by itself where the connection is lost.
            with suppress(psycopg2.Error):
                self._connection.cursor().execute("rollback")
            raise
        finally:
            self._filled.clear()

    def _move_sequences(self) -> None:
        """Move what counts a key past the keys that were written: the next one would collide."""
        for table, column, sequence in self._rows(
            "select c.relname, a.attname, s.name from pg_class as c"
            " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,"
            " lateral pg_get_serial_sequence(quote_ident(c.relname), a.attname) as s(name)"
            f" where c.relnamespace = {_HERE} and c.relname = any(%s) and s.name is not null",
            list(self._filled),
        ):
            highest = f'max("{column}")'
            self._rows(
                f'select setval(%s, {highest}) from "{table}"'
                f" having {highest} > coalesce(pg_sequence_last_value(%s::regclass), 0)",
                *(sequence, sequence),
            )

    def execute(self, sql: str) -> None:
        """See `Backend.execute`."""
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.execute(sql)

    def finds(self, query: str) -> bool:
        """See `Backend.finds`."""
        return bool(self._rows(query))

    def run(self, sql: str, values: Sequence[object]) -> list[Row]:
        """See `Backend.run`; values go over as text, which PostgreSQL reads as what the column wants."""
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.execute(sql, [value if value is None else str(value) for value in values])
            return cursor.fetchall() if cursor.description else []

    def was_in_the_way(self, error: GraceError) -> bool:
        """See `Backend.was_in_the_way`: a lock, a deadlock, or the same number taken by both."""
        code = getattr(error.__cause__, "pgcode", None) or ""
        return code in ("55P03", "23505") or code.startswith("40")

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Backend.insert`; COPY is many times faster than statements."""
        names = ", ".join(f'"{name}"' for name in columns)
        lines = "".join("\t".join(map(_spelled, row)) + "\n" for row in rows)
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.copy_expert(f'copy "{table}" ({names}) from stdin', BytesIO(lines.encode()))
        self._filled.add(table)

    def add_counted(self, table: str, row: Mapping[str, object]) -> int:
        """See `Backend.add_counted`."""
        [(number,)] = self.add(table, row, " returning id")
        assert isinstance(number, int)
        return number

    def hold(self, table: str) -> None:
        """See `Backend.hold`: the lock takes more than the right to insert."""
        name = self.quoted(table)
        if self._rows("select 1 where has_table_privilege(%s, 'update, delete, truncate')", name):
            self.execute(f"lock table {name} in share row exclusive mode")

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()

    def mark(self) -> str | None:
        """Which transactions the next statement could see: equal texts mean that none has ended in between.

        A standby does not tell which transactions are going on, so it has no mark.
        """
        if self.finds("select 1 where pg_is_in_recovery()"):
            return None
        [(text,)] = self._rows(
            "select concat_ws(' ', pg_postmaster_start_time(), d.oid, txid_current_snapshot())"
            " from pg_database as d where d.datname = current_database()"
        )
        return str(text)

    def close(self) -> None:
        """See `Backend.close`."""
        self._connection.close()


def _default(kept: str | None, generated: str) -> str | None:
    """The default of a column; a serial key has none, since it counts by itself as an identity does."""
    if kept is None or kept.startswith("nextval("):
        return None
    return f"generated always as ({kept})" if generated else plain_sql(kept)


def _family(column: ColumnFacts) -> str:
    """The types that compare with this one, by one name."""
    bare = column.declared_type.partition("(")[0]
    return _FAMILIES.get(bare, bare)


def _spelled(value: object) -> str:
    """A value as COPY reads it."""
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return str(value).translate(_ESCAPES)


# (codes of the server, words of the client library where there is no code yet, message, hint)
_KNOWN = (
    (
        ("53300",),
        ("too many", "connection slots"),
        "{place} has no free connection: {reason}.",
        "Run the command again later, or raise max_connections, or the limit of the user.",
    ),
    (
        ("57014",),
        (),
        "{place} broke off a statement: {reason}.",
        "Raise statement_timeout for this user, and run the command again.",
    ),
    (
        ("28",),
        ("password", "pg_hba.conf", 'role "'),
        "{place} does not let this user in: {reason}.",
        "Check the user, and the password in the URL, GRACE_OPERATIONAL_PASSWORD or ~/.pgpass.",
    ),
    (
        (),
        ("ssl", "certificate"),
        "There is no safe connection to {place}: {reason}.",
        "Check sslmode and sslrootcert in the URL, and the certificate of the server.",
    ),
    (
        ("3D000",),
        ('database "',),
        "There is no database to be reached at {place}: {reason}.",
        "Create it with createdb, or name another one with --db.",
    ),
    (
        ("57P", "08"),
        ("server closed the connection", "connection already closed", "terminating connection"),
        "The connection to {place} was lost: {reason}.",
        "Run the command again when the server answers; what was not finished was undone.",
    ),
    (
        ("42501",),
        (),
        "This user may not do that on {place}: {reason}.",
        "Grant the right, or connect as another user; nothing was changed.",
    ),
    (
        ("55P03", "40"),
        (),
        "Another process has {place} locked: {reason}.",
        "Run the command again when that process is done; nothing was changed.",
    ),
    (
        ("25006",),
        (),
        "{place} can't be written: {reason}.",
        "Name a server that takes writes, not its standby; nothing was changed.",
    ),
    (
        ("53", "58"),
        (),
        "{place} could not be written: {reason}.",
        "Free some space or check the disk of the server, and run the command again; nothing was changed.",
    ),
)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn an error of the server or the client library into two lines."""
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        # A message may go on with a row that was refused: only its first line is shown.
        code, text = error.pgcode or "", str(error)
        reason = _reason(error.diag.message_primary or text)
        for codes, words, message, hint in _KNOWN:
            if code.startswith(codes) if code else any(word in reason.lower() for word in words):
                raise GraceError(message.format(place=place, reason=reason), hint) from error
        if not code and isinstance(error, psycopg2.OperationalError):
            raise GraceError(
                f"{place} can't be reached: {reason}.",
                "Check host and port, and that the server runs and a firewall lets this machine in.",
            ) from error
        raise GraceError(
            f"PostgreSQL refuses a statement on {place}: {reason}.",
            "The transaction was rolled back.",
        ) from error


def _reason(text: str) -> str:
    """What went wrong, in one line: of a connection, at the last address that was tried."""
    tried = re.findall(r"connection to server .*? failed: (.*)", text)
    line = tried[-1] if tried else next(iter(text.splitlines()), "no reason is given")
    return line.removeprefix("FATAL:").strip().rstrip(".")
