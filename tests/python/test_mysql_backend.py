"""What only MySQL and MariaDB have: their spellings, their rights, their refusals, and who may hold whom up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from places import Place
from servers import PASSWORD, Server

from grace_dbt.declaration import load_declaration
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational import backend
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.catalogue import ColumnFacts
from grace_dbt.operational.mysql import MySQLBackend
from grace_dbt.operational.url import OperationalUrl, ServerUrl

NAMES = set(load_declaration())


def opened(url: str, *, write: bool = True) -> MySQLBackend:
    found = open_database(OperationalUrl.parse(url), write=write)
    assert isinstance(found, MySQLBackend)
    return found


@pytest.fixture(scope="module")
def grace(fresh_place: Callable[[str], Place]) -> Server:
    """The whole schema, for tests that leave it as it is."""
    server = fresh_place("mariadb").server
    assert server
    return server


@pytest.fixture
def database(grace: Server) -> Iterator[MySQLBackend]:
    with opened(grace.url) as found:
        yield found


class Pretender:
    """A driver's connection that answers as a server would that can't be had here."""

    def __init__(self, version: str, answers: dict[str, list[tuple[Any, ...]]]) -> None:
        self._answers = {"version()": [(version,)], **answers}
        self._rows: list[tuple[Any, ...]] = []

    def cursor(self) -> Pretender:
        return self

    def __enter__(self) -> Pretender:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, sql: str) -> None:
        self._rows = next((rows for mark, rows in self._answers.items() if mark in sql), [])

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("8.0.29", "mysql"),
        ("8.4.3-log", "mysql"),
        ("10.11.6-MariaDB-0+deb12u1", "mariadb"),
        ("11.8.2-MariaDB-log", "mariadb"),
    ],
)
def test_the_server_tells_its_dialect(version: str, dialect: str) -> None:
    assert MySQLBackend(Pretender(version, {}), "here").dialect == dialect  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "version", ["8.0.28", "5.7.44-log", "10.6.20-MariaDB", "8.0.11-TiDB-v7.5.0"]
)
def test_an_old_server_is_refused(version: str) -> None:
    with pytest.raises(GraceError, match=r"too old"):
        MySQLBackend(Pretender(version, {}), "here")  # type: ignore[arg-type]


# As the manual of MySQL 8.0 shows its information schema: quotes escaped, texts with their character set.
MYSQL_8 = {
    "information_schema.tables": [("models", "BASE TABLE", "A model. Made by grace-dbt.")],
    "information_schema.check_constraints": [
        ("models", "(`level` in (_utf8mb4\\'mild\\',_utf8mb4\\'severe\\'))"),
        ("models", "(`share` between 0 and 1)"),
    ],
    "information_schema.columns": [
        ("models", "id", "bigint", "bigint", None, "NO", None, "auto_increment"),
        ("models", "level", "varchar", "varchar(255)", "utf8mb4_0900_bin", "NO",
         "_utf8mb4\\'mild\\'", "DEFAULT_GENERATED"),
        ("models", "name", "varchar", "varchar(64)", "utf8mb4_0900_ai_ci", "YES", "it's", ""),
        ("models", "share", "double", "double", None, "YES", "0.9", ""),
        ("models", "live", "tinyint", "tinyint(1)", None, "YES", "false", "DEFAULT_GENERATED"),
        ("models", "made_at", "datetime", "datetime(6)", None, "YES",
         "utc_timestamp(6)", "DEFAULT_GENERATED"),
        ("models", "seen_at", "timestamp", "timestamp", None, "YES",
         "CURRENT_TIMESTAMP", "DEFAULT_GENERATED"),
        ("models", "facts", "json", "json", None, "YES", None, ""),
    ],
}  # fmt: skip


def test_the_spelling_of_mysql_is_read() -> None:
    found = MySQLBackend(Pretender("8.0.36", MYSQL_8), "here")  # type: ignore[arg-type]
    [models] = found.reflect({"models"}).tables.values()
    assert models.checks == ("(`level` in ('mild','severe'))", "(`share` between 0 and 1)")
    assert models.columns == (
        ColumnFacts("id", "bigint", "integer", True, None),
        ColumnFacts("level", "varchar(255)", "text", True, "'mild'"),
        ColumnFacts("name", "varchar(64) collate utf8mb4_0900_ai_ci", "text", False, "'it''s'"),
        ColumnFacts("share", "double", "real", False, "0.9"),
        ColumnFacts("live", "boolean", "boolean", False, "false"),
        ColumnFacts("made_at", "datetime(6)", "timestamp", False, "CURRENT_TIMESTAMP"),
        ColumnFacts("seen_at", "timestamp", "timestamp", False, "CURRENT_TIMESTAMP"),
        ColumnFacts("facts", "json", "json", False, None, keeps_bytes=False),
    )


def test_another_spelling_of_mariadb_is_read(new_database: Callable[[str], Server]) -> None:
    server = new_database("mariadb")
    server.execute(
        """create table Models (
            id int unsigned not null auto_increment primary key,
            name char(36) character set utf8mb4 collate utf8mb4_general_ci default 'x',
            level enum('low', 'high'), size decimal(10, 2) default 1.50, live bit(1),
            live_too bool default true, seen timestamp default current_timestamp, day date,
            facts json, more mediumtext check (json_valid(more)), raw varbinary(16), at time,
            unique key alerts (name), key by_start (level, name(5)), fulltext key words (more)
        ) default character set utf8mb4 collate utf8mb4_nopad_bin"""
    )
    with opened(server.url, write=False) as found:
        catalogue = found.reflect({"models", "alerts"})
    models = catalogue.tables["models"]
    facts = {column.name: (column.declared_type, column.kind) for column in models.columns}
    assert facts == {
        "id": ("int unsigned", "integer"),
        "name": ("char(36) collate utf8mb4_general_ci", "text"),
        "level": ("enum('low','high')", "text"),
        "size": ("decimal(10,2)", "real"),
        "live": ("bit(1)", "unknown"),
        "live_too": ("boolean", "boolean"),
        "seen": ("timestamp", "timestamp"),
        "day": ("date", "timestamp"),
        "facts": ("json", "json"),
        "more": ("mediumtext", "text"),
        "raw": ("varbinary(16)", "blob"),
        "at": ("time", "unknown"),
    }
    assert {name for name in facts if not models.column(name).keeps_bytes} == {"name"}  # type: ignore[union-attr]
    assert (models.definition, models.primary_key, models.checks) == ("", ("id",), ())
    indexes = {name: (i.columns, i.unique, i.partial) for name, i in models.indexes.items()}
    assert indexes == {
        "alerts": (("name",), True, False),
        "by_start": (("level", None), False, False),
        "words": (("more",), False, True),
    }
    # An index is no obstacle to a table of its name.
    assert catalogue.names["models"] == "table"
    assert "alerts" not in catalogue.names
    assert catalogue.names["by_start"] == "index on models"


@pytest.mark.parametrize(
    ("child", "parent", "fits"),
    [
        ("bigint", "bigint", True),
        ("bigint", "int", False),
        ("bigint", "bigint unsigned", False),
        ("varchar(255)", "varchar(36)", True),
        ("varchar(255)", "char(36)", True),
        ("varchar(255)", "varchar(255) collate utf8mb4_general_ci", False),
        ("varchar(255)", "bigint", False),
    ],
)
def test_fitting_types_are_those_that_innodb_takes(
    child: str, parent: str, fits: bool, new_database: Callable[[str], Server]
) -> None:
    server = new_database("mariadb")
    server.execute("alter database character set utf8mb4 collate utf8mb4_nopad_bin")
    server.execute(f"create table p (k {parent} primary key)")
    sql = f"create table c (k {child}, foreign key (k) references p (k))"
    with opened(server.url) as database:
        [found] = database.reflect({"p"}).tables.values()
        wanted = ColumnFacts("k", child, "", False, None)
        assert database.fits(wanted, found.columns[0]) == fits
        if fits:
            database.execute(sql)
        else:
            with pytest.raises(GraceError, match="refuses a statement"):
                database.execute(sql)


def test_a_guard_shows_with_the_table_it_guards(new_database: Callable[[str], Server]) -> None:
    server = new_database("mariadb")
    server.execute(
        "create table audit_logs (entry_id int primary key)",
        "create table audit_logs__never_truncated ("
        "entry_id int, foreign key (entry_id) references audit_logs (entry_id))",
    )
    name = "audit_logs__never_truncated"
    with opened(server.url) as database:
        found = database.reflect(NAMES)
        words = "foreign key (entry_id) references audit_logs (entry_id)"
        assert found.tables["audit_logs"].triggers == {name: words}
        assert name not in found.names
        server.execute(f"drop table {name}", f"create table {name} (entry_id int)")
        assert database.reflect(NAMES).tables["audit_logs"].triggers == {name: ""}


@pytest.fixture
def small(new_database: Callable[[str], Server]) -> Server:
    server = new_database("mariadb")
    server.execute(
        "create table notes (id varchar(255) primary key, words longtext, raw longblob,"
        " moment datetime(6), number bigint) default character set utf8mb4"
    )
    return server


def test_rows_arrive_as_they_were_given(small: Server) -> None:
    words, raw = "quote ' \" back\\slash %s % ` \0 \n 😀 ", bytes(range(256))
    rows: list[tuple[object, ...]] = [
        (f"note {number}", words, raw, "2025-11-02 14:50:02.357176", None) for number in range(3000)
    ]
    with opened(small.url) as database, database.transaction():
        database.insert("notes", ("id", "words", "raw", "moment", "number"), rows)
    [row] = small.execute(
        "select distinct words, raw, cast(moment as char), number from notes where id like 'note %'"
    )
    assert row == (words, raw, "2025-11-02 14:50:02.357176", None)
    assert small.execute("select count(*) from notes") == [(3000,)]


def test_rows_of_a_failed_transaction_are_gone(small: Server) -> None:
    with opened(small.url) as database:
        with pytest.raises(GraceError, match="nowhere"), database.transaction():
            database.insert("notes", ("id",), [("first",)])
            assert not database.is_empty("notes")
            database.insert("nowhere", ("id",), [(1,)])
        assert database.is_empty("notes")


def test_a_longer_key_is_refused_with_the_rule(small: Server) -> None:
    with opened(small.url) as database:
        database.insert("notes", ("id",), [("k" * 255,)])
        with pytest.raises(GraceError, match="too long") as refusal:
            database.insert("notes", ("id",), [("k" * 256,)])
    assert "255 characters" in refusal.value.hint
    assert refusal.value.exit_code == ExitCode.ENVIRONMENT


def test_a_session_speaks_utc(database: MySQLBackend) -> None:
    # The server itself stands in another zone.
    [(ahead,)] = database._rows("select time_to_sec(timediff(current_timestamp, utc_timestamp))")
    assert ahead == 0


def test_a_reader_writes_nothing(grace: Server) -> None:
    with (
        opened(grace.url, write=False) as reader,
        pytest.raises(GraceError, match="can't be written"),
    ):
        reader.execute("delete from models")


def test_two_runs_wait_for_each_other(grace: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "WAIT_SECONDS", 1.0)
    with opened(grace.url) as first, opened(grace.url) as second:
        with (
            first.transaction(),
            pytest.raises(GraceError, match="Another process has"),
            second.transaction(),
        ):
            pytest.fail("both have the lock")
        with second.transaction():
            pass


def test_a_table_that_grace_holds_is_waited_for(
    small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "WAIT_SECONDS", 1.0)
    with closing(small.connect()) as holder, opened(small.url) as database:
        holder.begin()
        holder.cursor().execute("insert into notes (id) values ('held')")
        for sql in ("insert into notes (id) values ('held')", "alter table notes add more int"):
            with pytest.raises(GraceError, match=r"Another process has .* locked"):
                database.execute(sql)


def test_a_connection_that_is_cut_is_said_to_be_lost(grace: Server) -> None:
    with opened(grace.url) as database:
        [(number,)] = database._rows("select connection_id()")
        with pytest.raises(GraceError, match=r"was lost") as refusal, database.transaction():
            grace.execute(f"kill {number}")
            database.execute("select 1")
    assert PASSWORD not in str(refusal.value)


def test_a_time_limit_is_named(grace: Server) -> None:
    with opened(grace.url) as database:
        database.execute("set session max_statement_time = 0.001")
        with pytest.raises(GraceError, match=r"broke off a statement") as refusal:
            database.reflect(NAMES)
    assert "max_statement_time" in refusal.value.hint


@pytest.mark.parametrize(
    "greeting", [None, b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x05\0\0\0\x0a5.5\0"]
)
def test_what_is_no_such_server_is_told_at_once(
    greeting: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "CONNECT_SECONDS", 1)

    def answer() -> None:
        caller, _ = listener.accept()
        callers.append(caller)
        if greeting is not None:
            caller.sendall(greeting)
            caller.shutdown(socket.SHUT_WR)

    callers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(GraceError, match=r"can't be reached|was lost") as refusal:
            opened(f"mysql://grace:secret@127.0.0.1:{port}/grace")
        thread.join()
        for caller in callers:
            caller.close()
    assert "MySQL or MariaDB server" in refusal.value.hint


def test_a_server_without_tls_is_refused_where_tls_is_asked_for(grace: Server) -> None:
    with pytest.raises(GraceError, match="no safe connection"):
        opened(f"{grace.url}?ssl_mode=required")
    with pytest.raises(GraceError, match="can't be read"):
        opened(f"{grace.url}?ssl_mode=verify_ca&ssl_ca=/no/such/file")


def test_rights_are_those_of_the_grants(grace: Server) -> None:
    wanted = {"models", "alerts", "labels", "no_such_table"}
    with opened(grace.url) as owner:
        found = owner.rights(wanted)
        assert (found.unreadable, found.unwritable, found.creates) == ((), (), True)
        assert found.engine.startswith("MariaDB 1")
    url = OperationalUrl.parse(grace.url)
    assert isinstance(url, ServerUrl)
    guest = f"mysql://guest:x@127.0.0.1:{url.port}/{url.database}"
    pattern = url.database.replace("_", r"\_")
    grace.execute(
        "create user guest identified by 'x'",
        f"grant select, insert, update on `{url.database}`.models to guest",
        f"grant select on `{url.database}`.alerts to guest",
        f"grant delete on `{url.database}`.labels to guest",
        "create role writers",
        f"grant create, delete on `{pattern}`.* to writers",
        # Another database: `_` stands for itself where it is escaped.
        f"grant all on `{pattern.replace('grace', 'gracf')}`.* to guest",
        "grant writers to guest",
    )
    try:
        with opened(guest) as plain:
            found = plain.rights(wanted)
        assert found.unreadable == ("labels",)
        assert found.unwritable == ("alerts", "labels", "models")
        assert not found.creates
        grace.execute("set default role writers for guest")
        with opened(guest) as writer:
            found = writer.rights(wanted)
        assert found.unreadable == ("labels",)
        assert found.unwritable == ("alerts", "labels")
        assert found.creates
        with opened(guest) as guest_backend, pytest.raises(GraceError, match="may not do that"):
            guest_backend.execute("drop table labels")
    finally:
        grace.execute("drop user guest", "drop role writers")
