"""Operational databases on MySQL and MariaDB."""

from __future__ import annotations

import re
import ssl
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
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
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    from grace_dbt.declaration import Table
    from grace_dbt.operational.plan import Step
    from grace_dbt.operational.url import ServerUrl

# A server that went away in the middle is noticed after this time; an index over many rows needs a good part of it.
ANSWER_SECONDS = 600
_NAMES = {"mysql": "MySQL", "mariadb": "MariaDB"}
# `create trigger if not exists` came with this MySQL; the other one is the oldest MariaDB that is tried.
_OLDEST = {"mysql": (8, 0, 29), "mariadb": (10, 11)}
_SQL_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
)

_KINDS = {
    "tinyint": "integer",
    "smallint": "integer",
    "mediumint": "integer",
    "int": "integer",
    "bigint": "integer",
    "double": "real",
    "float": "real",
    "decimal": "real",
    "datetime": "timestamp",
    "timestamp": "timestamp",
    "date": "timestamp",
    "json": "json",
    "char": "text",
    "varchar": "text",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",
    "enum": "text",
    "uuid": "text",
    "binary": "blob",
    "varbinary": "blob",
    "tinyblob": "blob",
    "blob": "blob",
    "mediumblob": "blob",
    "longblob": "blob",
}
_COLLATIONS = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}
_ACTIONS = {"CASCADE": "on delete cascade", "SET NULL": "on delete set null"}
_GUARD = "__never_truncated"

_MOMENT = re.compile(r"(?i)(?:utc_timestamp|(?:current|local)_?timestamp|now)(?:\(\d?\))?")
_IS_JSON = re.compile(r"(?i)json_valid\(`((?:[^`]|``)+)`\)")
_TRIGGER = re.compile(r"(?is)create trigger .*?` (before|after) (\w+) on \S+ for each row (.*)")
_REFERENCE = re.compile(r"foreign key \(.*?\) references \S+ \(.*?\)")
_GRANT = re.compile(r"GRANT (.+?) ON (?:TABLE )?(\*|`(?:[^`]|``)+`)\.(\*|`(?:[^`]|``)+`) TO ")


def trigger_words(sql: str) -> str:
    """What a statement says of a trigger beyond its name, or the reference that forbids TRUNCATE."""
    trigger = _TRIGGER.match(sql)
    if trigger:
        timing, event, action = trigger.groups()
        return f"{timing} {event} {action}".lower()
    reference = _REFERENCE.search(sql)
    assert reference, sql
    return reference[0].replace("`", "")


class MySQLBackend(Backend):
    """One database of a MySQL or MariaDB server (see `Backend`)."""

    quote_mark = "`"
    value_mark = "%s"
    checks_parents = True
    for_update = " for update"

    def __init__(self, connection: Connection[Cursor], place: str) -> None:
        """Take over an open connection; `place` names it in messages."""
        self._connection = connection
        self._place = place
        [(version,)] = self._rows("select version()")
        self.dialect = "mariadb" if "mariadb" in version.lower() else "mysql"
        self._version = str(version).partition("-")[0]
        name = _NAMES[self.dialect]
        if tuple(map(int, re.findall(r"\d+", self._version))) < _OLDEST[self.dialect]:
            oldest = ".".join(map(str, _OLDEST[self.dialect]))
            raise GraceError(
                f"{place} is {name} {self._version}, which is too old.",
                f"Use {name} {oldest} or newer: an older one lacks what the schema is made of.",
            )

    @classmethod
    def open(cls, url: ServerUrl, *, write: bool) -> Self:
        """Connect; the session speaks UTC, and refuses a value that does not fit."""
        import pymysql

        place = str(url)
        options = _tls_arguments(url)
        options["unix_socket" if url.host.startswith("/") else "host"] = url.host
        try:
            connection = pymysql.connect(
                port=url.port,
                user=url.user,
                # Text would have to be Latin-1.
                password=(url.password or "").encode(),
                database=url.database,
                charset="utf8mb4",
                sql_mode=_SQL_MODE,
                autocommit=True,
                connect_timeout=backend.CONNECT_SECONDS,
                read_timeout=backend.CONNECT_SECONDS,
                write_timeout=ANSWER_SECONDS,
                program_name="grace-dbt",
                **options,
            )
        except Exception as error:
            # What answers there may be no such server, and the driver then fails in many ways.
            raise _explain(error, place, _UNREACHABLE) from error
        try:
            # PyMySQL has one limit for a server's greeting and for its answers.
            connection._read_timeout = ANSWER_SECONDS  # type: ignore[attr-defined]
            opened = cls(connection, place)
            wait = f"{backend.WAIT_SECONDS:.0f}"
            opened.execute(
                "set session time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1,"
                f" lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}"
            )
            if not write:
                opened.execute("set session transaction read only")
        except BaseException:
            connection.close()
            raise
        return opened

    def expected(self, plan: Sequence[Step], declaration: Mapping[str, Table]) -> Catalogue:
        """See `Backend.expected`; a row that never changes keeps its parent, for a cascade would pass its triggers."""
        return expected_catalogue(
            plan,
            declaration,
            keeps_actions=lambda table: table.mutability == "mutable",
            trigger_words=trigger_words,
        )

    def fits(self, child: ColumnFacts, parent: ColumnFacts) -> bool:
        """See `Backend.fits`: numbers of one size and sign, texts of one collation."""
        return _family(child) == _family(parent)

    def can_index(self, column: ColumnFacts) -> bool:
        """See `Backend.can_index`: of a long text only a beginning can be indexed."""
        return not re.match("(tiny|medium|long)?(text|blob)|json", column.declared_type)

    def reflect(self, tables: Collection[str]) -> Catalogue:
        """See `Backend.reflect`; a table that forbids TRUNCATE shows among the triggers of the one it guards."""
        names: dict[str, str] = {}
        definitions: dict[str, str] = {}
        guards: set[str] = set()
        for name, kind, comment in self._rows(
            "select table_name, table_type, table_comment from information_schema.tables"
            " where table_schema = database()"
        ):
            lowered, is_table = name.lower(), kind in ("BASE TABLE", "SYSTEM VERSIONED")
            if is_table and lowered.removesuffix(_GUARD) in set(tables) - {lowered}:
                guards.add(lowered)
                continue
            names[lowered] = "table" if is_table else kind.lower()
            if is_table and lowered in tables:
                definitions[lowered] = OWN_MARK if comment.endswith(OWN_MARK) else ""
        keys, indexes = self._indexes()
        checks = self._checks()
        references = self._foreign_keys()
        columns = self._columns(checks)
        triggers = self._triggers()
        for guard in guards:
            triggers[guard.removesuffix(_GUARD)][guard] = "; ".join(
                f"foreign key ({', '.join(key.columns)}) {key}" for key in references[guard]
            )
        # The name of an index belongs to its table: it stands in the way of no other one's.
        for table in definitions:
            for name in indexes[table].keys() - set(tables):
                names.setdefault(name, f"index on {table}")
        return Catalogue(
            {
                table: TableFacts(
                    name=table,
                    definition=definition,
                    columns=tuple(columns[table]),
                    primary_key=keys[table].get("primary", ()),
                    unique_keys=frozenset(
                        over for name, over in keys[table].items() if name != "primary"
                    ),
                    foreign_keys=frozenset(references[table]),
                    checks=tuple(c for c in checks[table] if not _IS_JSON.fullmatch(c)),
                    indexes=indexes[table],
                    triggers=triggers[table],
                )
                for table, definition in definitions.items()
            },
            names,
        )

    def _columns(self, checks: Mapping[str, list[str]]) -> dict[str, list[ColumnFacts]]:
        json_columns = {
            (table, is_json[1].replace("``", "`"))
            for table, conditions in checks.items()
            for condition in conditions
            if (is_json := _IS_JSON.fullmatch(condition))
        }
        found: dict[str, list[ColumnFacts]] = defaultdict(list)
        for table, name, bare, declared, collation, nullable, default, extra in self._rows(
            "select lower(table_name), column_name, data_type, column_type, collation_name, is_nullable,"
            " column_default, extra from information_schema.columns"
            " where table_schema = database() order by table_name, ordinal_position"
        ):
            # The JSON of MariaDB is a text with a check.
            json = bare == "json" or (bare == "longtext" and (table, name) in json_columns)
            boolean = declared.startswith("tinyint(1)")
            kind = "json" if json else "boolean" if boolean else _KINDS.get(bare, "unknown")
            found[table].append(
                ColumnFacts(
                    name,
                    self._spelled(bare, declared, collation, json=json, boolean=boolean),
                    kind,
                    nullable == "NO",
                    self._default(default, extra, kind),
                    # MySQL keeps JSON parsed, and a CHAR loses the blanks at its end.
                    keeps_bytes=bare not in ("json", "char"),
                )
            )
        return found

    def _spelled(
        self, bare: str, declared: str, collation: str | None, *, json: bool, boolean: bool
    ) -> str:
        """A type as the plan spells it; the collation shows where it is not the one of the plan."""
        if boolean:
            return "boolean"
        if json and collation in (None, "utf8mb4_bin"):
            return "json"
        if _KINDS.get(bare) == "integer":
            # MariaDB adds how wide a number is shown.
            declared = re.sub(r"\(\d+\)", "", declared)
        same = collation in (None, _COLLATIONS[self.dialect])
        return declared if same else f"{declared} collate {collation}"

    def _default(self, kept: str | None, extra: str, kind: str) -> str | None:
        """SQL of a default: of a plain value MySQL keeps the value itself, all else is an expression."""
        if kept is None or kept == "NULL" or "auto_increment" in extra:
            return None
        if self.dialect == "mysql" and "DEFAULT_GENERATED" not in extra:
            bare = kind in ("integer", "real", "boolean")
            return kept if bare else "'" + kept.replace("'", "''") + "'"
        return "CURRENT_TIMESTAMP" if _MOMENT.fullmatch(kept) else _plain_sql(kept)

    def _checks(self) -> dict[str, list[str]]:
        # Only MariaDB says with the check where it belongs; its names repeat from table to table.
        query = (
            "select table_name, check_clause from information_schema.check_constraints"
            " where constraint_schema = database()"
            if self.dialect == "mariadb"
            else "select t.table_name, c.check_clause from information_schema.check_constraints as c"
            " join information_schema.table_constraints as t"
            " on t.constraint_schema = c.constraint_schema and t.constraint_name = c.constraint_name"
            " and t.constraint_type = 'CHECK' and t.enforced = 'YES'"
            " where c.constraint_schema = database()"
        )
        found: dict[str, list[str]] = defaultdict(list)
        for table, condition in self._rows(query):
            found[table.lower()].append(_plain_sql(condition))
        return found

    def _indexes(
        self,
    ) -> tuple[dict[str, dict[str, tuple[str, ...]]], dict[str, dict[str, IndexFacts]]]:
        """By table and lower-case name: what is a key by its declaration, and every other index.

        Every unique constraint is an index; one over a single column that bears its name is what
        the word `unique` behind a column makes.
        """
        rows: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
        for table, name, *rest in self._rows(
            "select lower(table_name), index_name, column_name, sub_part, non_unique, index_type"
            " from information_schema.statistics where table_schema = database()"
            " order by table_name, index_name, seq_in_index"
        ):
            rows[table, name].append(tuple(rest))
        keys: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        indexes: dict[str, dict[str, IndexFacts]] = defaultdict(dict)
        for (table, name), parts in rows.items():
            # An index over the beginning of a text is as good as one over an expression.
            over = tuple(None if length else column for column, length, *_ in parts)
            _, _, repeats, kind = parts[0]
            whole = tuple(filter(None, over))
            if name == "PRIMARY" or (not repeats and whole == (name,) == over):
                keys[table][name.lower()] = whole
            else:
                indexes[table][name.lower()] = IndexFacts(
                    name, over, not repeats, partial=kind in ("FULLTEXT", "SPATIAL")
                )
        return keys, indexes

    def _foreign_keys(self) -> dict[str, list[ForeignKeyFacts]]:
        rows: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
        for table, name, *rest in self._rows(
            "select lower(k.table_name), k.constraint_name, k.column_name, k.referenced_table_name,"
            " k.referenced_column_name, r.delete_rule from information_schema.key_column_usage as k"
            " join information_schema.referential_constraints as r"
            " on r.constraint_schema = k.constraint_schema and r.table_name = k.table_name"
            " and r.constraint_name = k.constraint_name"
            " where k.table_schema = database() order by k.constraint_name, k.ordinal_position"
        ):
            rows[table, name].append(tuple(rest))
        found: dict[str, list[ForeignKeyFacts]] = defaultdict(list)
        for (table, _), parts in rows.items():
            own, parents, targets, rules = zip(*parts, strict=True)
            action = _ACTIONS.get(rules[0], "")
            found[table].append(ForeignKeyFacts(own, parents[0], targets, action))
        return found

    def _triggers(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for table, name, timing, event, action in self._rows(
            "select lower(event_object_table), lower(trigger_name), action_timing,"
            " event_manipulation, action_statement from information_schema.triggers"
            " where trigger_schema = database()"
        ):
            found[table][name] = f"{timing} {event} {action}".lower()
        return found

    @property
    def unseen(self) -> Collection[str]:  # type: ignore[override]
        """See `Backend.unseen`: the server shows triggers and references to those who may make them."""
        found = [] if self._may("TRIGGER") else ["trigger"]
        if not any(map(self._may, ("REFERENCES", "INSERT", "UPDATE", "DELETE", "ALTER"))):
            found += ["foreign_key", "guard"]
        return found

    def _may(self, right: str, table: str = "*") -> bool:
        return any(
            {right, "ALL PRIVILEGES"} & rights
            and _covers(scope, self._database)
            and (name == "*" or name.strip("`").replace("``", "`").lower() == table)
            for rights, scope, name in self._granted
        )

    @cached_property
    def _granted(self) -> list[tuple[set[str], str, str]]:
        """Rights, database and table of each grant."""
        return [
            (set(re.split(", ", grant[1])), grant[2], grant[3])
            for (line, *_) in self._rows("show grants")
            if (grant := _GRANT.match(line))
        ]

    @cached_property
    def _database(self) -> str:
        [(name,)] = self._rows("select database()")
        return str(name)

    def rights(self, tables: Collection[str]) -> Rights:
        """See `Backend.rights`; a table that this user may not even see counts as absent."""
        there = sorted(self.reflect(tables).tables)
        writing = ("INSERT", "UPDATE", "DELETE")
        return Rights(
            engine=f"{_NAMES[self.dialect]} {self._version}",
            unreadable=tuple(table for table in there if not self._may("SELECT", table)),
            unwritable=tuple(
                table for table in there if not all(self._may(right, table) for right in writing)
            ),
            creates=self._may("CREATE"),
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Backend.transaction`, but for rows only: every statement that makes something commits.

        An interrupted run leaves what it made, and the next one goes on from there. Other runs of
        grace-dbt on this database wait; Grace is not held off.
        """
        import pymysql

        lock = "concat('grace-dbt ', md5(database()))"
        with _explained(self._place):
            [(held,)] = self._rows(f"select get_lock({lock}, {backend.WAIT_SECONDS:.0f})")
        if not held:
            raise GraceError(
                f"Another process has {self._place} locked for more than"
                f" {backend.WAIT_SECONDS:.0f} seconds.",
                "Run the command again when that grace-dbt is done.",
            )
        try:
            self.execute("start transaction")
            yield
            self.execute("commit")
        except BaseException:
            # The server rolls back by itself where the connection is lost.
            with suppress(pymysql.MySQLError):
                self._connection.rollback()
            raise
        finally:
            with suppress(GraceError):
                self.execute(f"do release_lock({lock})")

    def execute(self, sql: str) -> None:
        """See `Backend.execute`."""
        self._rows(sql)

    def finds(self, query: str) -> bool:
        """See `Backend.finds`."""
        return bool(self._rows(query))

    def run(self, sql: str, values: Sequence[object]) -> list[Row]:
        """See `Backend.run`."""
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def was_in_the_way(self, error: GraceError) -> bool:
        """See `Backend.was_in_the_way`: a lock, a deadlock, or the same number taken by both."""
        code = error.__cause__.args[0] if error.__cause__ and error.__cause__.args else None
        return code in (1062, 1205, 1213)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Backend.insert`; the driver puts many rows into one statement."""
        names = ", ".join(f"`{name}`" for name in columns)
        marks = ", ".join(["%s"] * len(columns))
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.executemany(f"insert into `{table}` ({names}) values ({marks})", rows)

    def add_counted(self, table: str, row: Mapping[str, object]) -> int:
        """See `Backend.add_counted`."""
        self.add(table, row)
        [(number,)] = self._rows("select last_insert_id()")
        return int(number)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with _explained(self._place), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def mark(self) -> str | None:
        """InnoDB's counter of transactions and those that are not over; told to who has the right PROCESS."""
        others = self.finds(
            "select 1 from information_schema.tables where table_schema = database()"
            " and table_type = 'BASE TABLE' and engine <> 'InnoDB' limit 1"
        )
        if others:
            return None
        [(server,)] = self._rows("select concat_ws(' ', @@hostname, @@port, @@datadir, database())")
        [(_, _, report)] = self._rows("show engine innodb status")
        counter = re.search(r"^Trx id counter (\d+)", report, re.MULTILINE)
        if counter is None:
            return None
        going_on = re.findall(
            r"^---TRANSACTION (\d+), (?!not started)([A-Z]+)", report, re.MULTILINE
        )
        # A transaction that only reads has a number far beyond the counter.
        known = [
            f"{number} {state}" for number, state in going_on if int(number) <= int(counter[1])
        ]
        return " ".join((str(server), counter[1], *sorted(known)))

    def close(self) -> None:
        """See `Backend.close`."""
        import pymysql

        # A lost connection is closed already.
        with suppress(pymysql.MySQLError):
            self._connection.close()


def _family(column: ColumnFacts) -> str:
    """The types that InnoDB lets reference this one, by one name: a text may have another length."""
    return re.sub(r"^(?:var)?char\(\d+\)", "char", column.declared_type)


def _plain_sql(kept: str) -> str:
    r"""SQL without what MySQL adds to it: `_utf8mb4\'a\'` is `'a'`."""
    return re.sub(r"(?i)_utf8mb4(?=\\?')", "", kept).replace("\\'", "'")


def _covers(scope: str, database: str) -> bool:
    r"""Whether a right on `scope` is one on the database: `%` and `_` stand for anything, `\_` for itself."""
    if scope == "*":
        return True
    parts = re.findall(r"\\.|.", scope.strip("`").replace("``", "`"), re.DOTALL)
    pattern = "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)
    return re.fullmatch(pattern, database, re.DOTALL) is not None


def _tls_arguments(url: ServerUrl) -> dict[str, Any]:
    """How the driver secures the connection; without a word it does so where the server can.

    Raises:
        GraceError: A certificate can't be read.
    """
    options = dict(url.tls)
    mode = options.pop("ssl_mode", "preferred")
    if mode == "disabled":
        return {"ssl_disabled": True}
    if mode == "preferred" and not options:
        return {}
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"))
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as error:
        raise GraceError(
            f"A certificate for {url} can't be read: {error.strerror or error}.",
            "Check ssl_ca, ssl_cert and ssl_key in the URL: files in PEM format.",
        ) from error
    # What MySQL makes for itself at its first start is not strict, which Python 3.13 asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = mode == "verify_identity"
    if not mode.startswith("verify"):
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


_KNOWN = (
    (
        (1045, 1698, 1862, 2054, 2059),
        "{place} does not let this user in: {reason}.",
        "Check the user, and the password in the URL, GRACE_OPERATIONAL_PASSWORD or MYSQL_PWD.",
    ),
    (
        (2026, 3159),
        "There is no safe connection to {place}: {reason}.",
        "Check ssl_mode and ssl_ca in the URL, and the certificate of the server.",
    ),
    (
        (1049,),
        "There is no database to be reached at {place}: {reason}.",
        "Create it with CREATE DATABASE, or name another one with --db.",
    ),
    (
        (1040, 1203, 1226),
        "{place} has no free connection: {reason}.",
        "Run the command again later, or raise max_connections.",
    ),
    (
        (1969, 3024),
        "{place} broke off a statement: {reason}.",
        "Raise max_statement_time or max_execution_time for this user, and run the command again.",
    ),
    (
        (1053, 1317, 1927, 2006, 2013, 2014, 4031),
        "The connection to {place} was lost: {reason}.",
        "Check that a MySQL or MariaDB server answers there, and run the command again.",
    ),
    (
        (1044, 1142, 1143, 1227, 1370, 1410),
        "This user may not do that on {place}: {reason}.",
        "Grant the right, or connect as another user, and run the command again.",
    ),
    (
        (1419,),
        "This user may make no triggers on {place}: {reason}.",
        "Set log_bin_trust_function_creators = 1 on the server, and run the command again.",
    ),
    (
        (1205, 1213, 3572),
        "Another process has {place} locked: {reason}.",
        "Run the command again when that process is done.",
    ),
    (
        (1290, 1792, 1836),
        "{place} can't be written: {reason}.",
        "Name a server that takes writes, not its replica.",
    ),
    (
        (3, 1021, 1026, 1030, 1114, 3675),
        "{place} could not be written: {reason}.",
        "Free some space or check the disk of the server, and run the command again.",
    ),
    (
        (1406,),
        "A value is too long for {place}: {reason}.",
        "A text that stands in a key or index takes 255 characters here; no row of this run was kept.",
    ),
)


_UNREACHABLE = (
    "{place} can't be reached: {reason}.",
    "Check host and port, and that a MySQL or MariaDB server runs there and a firewall lets this machine in.",
)
_REFUSED = (
    "The server refuses a statement on {place}: {reason}.",
    "Rows of this run were rolled back; tables that it made stay, and grace-dbt init goes on from there.",
)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn an error of the server or the driver into two lines."""
    import pymysql

    try:
        yield
    except pymysql.MySQLError as error:
        raise _explain(error, place, _REFUSED) from error


def _explain(error: Exception, place: str, otherwise: tuple[str, str]) -> GraceError:
    """What an error means, by its number; `otherwise` where that says nothing."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        code = 2026
    text = (cause and cause.strerror) or str(error.args[-1] if error.args else "")
    reason = " ".join(text.split()).rstrip(".") or "no reason is given"
    known = ((message, hint) for codes, message, hint in _KNOWN if code in codes)
    message, hint = next(known, otherwise)
    return GraceError(message.format(place=place, reason=reason), hint)
