"""Appending to the chains, checked from outside: one chain, whoever else writes, and however a writer ends.

The chains are checked here by their published format; nothing of it is taken from the package. By default few appenders
write few entries; APPENDERS=32 ENTRIES=500 is the full size.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import ENGINES, SERVERS, GraceCli, environment
from places import Place
from raw_drivers import RawDatabase

import grace_dbt
from grace_dbt.audit import formats
from grace_dbt.audit.append import (
    AppendedEntry,
    append_audit_log,
    append_immutable_log,
    chain_audit_log,
)
from grace_dbt.errors import GraceError
from grace_dbt.operational import backend
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl

APPENDERS = int(os.environ.get("APPENDERS", "8"))
ENTRIES = int(os.environ.get("ENTRIES", "25"))
CHAINS = ("audit_logs", "immutable_log")
COLUMNS = {
    "audit_logs": "entry_id category data_json transparency_level timestamp hash previous_hash chain_hash"
    " chain_position",
    "immutable_log": "sequence actor action resource payload result previous_hash entry_hash",
}
EACH_ENGINE = pytest.mark.parametrize("dialect", ENGINES)

NewPlace = Callable[[str], Place]
Rows = list[dict[str, Any]]

# Appends from several threads, and says of each entry that it was committed: its place, who wrote it, and its number.
APPENDER = """
import sys, threading
from grace_dbt.audit.append import append_audit_log, append_immutable_log
url, chain, name, threads, entries = sys.argv[1:4] + [int(number) for number in sys.argv[4:]]
say = threading.Lock()
failures = []
def work(thread):
    who = f"{name}.{thread}"
    for number in range(entries):
        try:
            if chain == "audit_logs":
                made = append_audit_log(url, category="test", data={"who": who, "number": number})
            else:
                made = append_immutable_log(
                    url, actor=who, action="test", resource=None, payload={"number": number}, result="done"
                )
        except Exception as error:
            failures.append(f"{who} {number}: {error} {getattr(error.__cause__, 'sqlite_errorname', '')}")
            raise
        with say:
            print(made.position, who, number, flush=True)
workers = [threading.Thread(target=work, args=[thread]) for thread in range(threads)]
[worker.start() for worker in workers]
[worker.join() for worker in workers]
sys.exit("; ".join(failures) or None)
"""


def read(place: Place, chain: str) -> Rows:
    """The rows of a chain with their values as text, as every driver gives them."""
    text = "char" if place.dialect == "mariadb" else "varchar"
    columns = COLUMNS[chain].split()
    cast = ", ".join(f"cast({place.mark}{name}{place.mark} as {text})" for name in columns)
    rows = place.run(f"select {cast} from {chain}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def sealed_audit(row: dict[str, Any]) -> tuple[str, str]:
    content = {
        name: row[name] for name in ("entry_id", "category", "timestamp", "transparency_level")
    }
    content["data"] = json.loads(row["data_json"])
    entry = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    sealed = f"{entry}:{row['previous_hash']}:{row['chain_position']}"
    return entry, hashlib.sha256(sealed.encode()).hexdigest()


def segment(rows: Rows) -> Rows:
    """One segment of the audit log by its published format, in its order."""
    rows = sorted(rows, key=lambda row: int(row["chain_position"]))
    previous = "genesis"
    for position, row in enumerate(rows):
        assert (row["previous_hash"], row["chain_position"]) == (previous, str(position))
        assert (row["hash"], row["chain_hash"]) == sealed_audit(row)
        previous = row["chain_hash"]
    return rows


def one_chain(place: Place, chain: str) -> Rows:
    """All rows of a table, which are one intact chain, in its order."""
    if chain == "audit_logs":
        rows = segment(read(place, chain))
        assert all(a["timestamp"] <= b["timestamp"] for a, b in pairwise(rows))
        counted = place.run("select category, entry_count from log_categories")
        assert dict(counted) == Counter(row["category"] for row in rows)
        return rows
    rows = sorted(read(place, chain), key=lambda row: int(row["sequence"]))
    previous = "0" * 64
    fields = COLUMNS[chain].split()[:-1]
    for number, row in enumerate(rows, 1):
        assert (row["sequence"], row["previous_hash"]) == (str(number), previous)
        words = ":".join(str(row[field]) for field in fields)
        assert row["entry_hash"] == hashlib.sha256(words.encode()).hexdigest()
        previous = row["entry_hash"]
    return rows


def who_wrote(row: dict[str, Any]) -> tuple[str, int]:
    data = json.loads(row.get("data_json") or row["payload"])
    return data.get("who") or row["actor"], data["number"]


def start(place: Place, chain: str, name: str, threads: int, entries: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APPENDER, place.url, chain, name, str(threads), str(entries)],
        env=environment(Path("unused")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def append(place: Place, **given: Any) -> AppendedEntry:
    return append_audit_log(place.url, **{"category": "test", "data": {"n": 1}, **given})


def log(place: Place, **given: Any) -> AppendedEntry:
    words: dict[str, Any] = {
        "actor": "tester", "action": "test.done", "resource": None, "payload": None, "result": None,
    }  # fmt: skip
    return append_immutable_log(place.url, **words | given)


def raw_entry(position: int, previous: str, timestamp: str, **changed: Any) -> dict[str, Any]:
    """A row of the audit log, sealed by hand."""
    row = {
        "entry_id": f"raw_{timestamp}_{position:06d}",
        "category": "raw",
        "data_json": json.dumps({"z": 1, "a": position}),
        "transparency_level": "public",
        "timestamp": timestamp,
        "previous_hash": previous,
        "chain_position": position,
    } | changed
    row["hash"], row["chain_hash"] = sealed_audit(row)
    return row


def raw_segment(began: str, length: int, minute: Callable[[int], int] = lambda n: n) -> Rows:
    """A segment of another writer; `began` is its day, `minute` says when each entry came."""
    rows: Rows = []
    for position in range(length):
        at = minute(position)
        timestamp = f"{began}T{at // 60:02d}:{at % 60:02d}:00.000000"
        rows.append(raw_entry(position, rows[-1]["chain_hash"] if rows else "genesis", timestamp))
    return rows


def insert(database: RawDatabase, table: str, *rows: dict[str, Any]) -> None:
    for row in rows:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        database.execute(f'insert into "{table}" ({names}) values ({marks})', list(row.values()))


def put(place: Place, *rows: dict[str, Any]) -> None:
    with closing(RawDatabase.open(place)) as database:
        insert(database, "audit_logs", *rows)


# --- the formats


def test_published_vectors() -> None:
    first = {
        "actor": "testuser", "action": "knowledge.ingested", "resource": "Test Knowledge",
        "payload": '{"artifact_id": 1, "domain": "test", "type": "text"}', "result": "published",
    }  # fmt: skip
    second = {
        "actor": "test_user", "action": "sandbox.execution_failed", "resource": "python timeout_test.py",
        "payload": '{"duration_ms": 137, "exit_code": 9009}', "result": "published",
    }  # fmt: skip
    seal = formats.entry_hash(1, previous=formats.ZEROS, **first)
    assert seal == "3e6d566132bd6f93b3b75241313e3eae44330ff50ec3021068d5b0fa50d8d89e"
    seal = formats.entry_hash(2, previous=seal, **second)
    assert seal == "a9103cb0ca87cdf576fe3fb341d8d526bf516e2015de91798ea9e3c0abe61c85"
    stored = (
        '{"action_type": "kernel_shutdown", "action_data": {"timestamp": "2025-09-28T09:55:38.610904",'
        ' "snapshot_id": "govsnap_20250928_095538_5b433e1b", "reason": "graceful_shutdown"},'
        ' "logged_by": "governance_engine"}'
    )
    content = formats.stored_content_hash(
        "governance_action_20250928_095538_000001", "governance_action", stored,
        "democratic_oversight", "2025-09-28T09:55:38.612416",
    )  # fmt: skip
    assert content == "cf3eefad64b7fc2f10161532a916ee9bdf3edef252f9eb017c428a835bfb4a47"
    assert (
        formats.chain_hash(
            content,
            previous="5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523",
            position=1,
        )
        == "ec78e41f125f895b1dd5582a78d07b4895a606004f1e0bfcafacedbc55ddfdca"
    )


def test_what_is_null_is_sealed_as_none() -> None:
    words = "1:a:b:None:None:None:" + formats.ZEROS
    assert (
        formats.entry_hash(
            1,
            actor="a",
            action="b",
            resource=None,
            payload=None,
            result=None,
            previous=formats.ZEROS,
        )
        == hashlib.sha256(words.encode()).hexdigest()
    )


@pytest.mark.parametrize("text", [None, "", "{", "[" * 100_000])
def test_json_that_cannot_be_read_has_no_hash(text: str | None) -> None:
    assert formats.stored_content_hash("e", "c", text, "l", "t") is None


# --- entries


@EACH_ENGINE
def test_entries_are_chained_and_stored_as_they_were_given(
    dialect: str, fresh_place: NewPlace
) -> None:
    place = fresh_place(dialect)
    data = {
        "z": [1, 2.5, -0.0, 1e22, 10**30, None, True, {"ä": "€ 𝄞"}],
        "a": 'it\'s \\ "quoted" %s :x \u0000 \n',
        "": {},
    }
    made = [append(place, data=data, level="public"), append(place, category="Größe", data={})]
    first, second = one_chain(place, "audit_logs")
    assert json.loads(first["data_json"]) == data
    assert first["data_json"] == json.dumps(data, sort_keys=True)
    assert first["transparency_level"] == "public"
    assert second["transparency_level"] == "democratic_oversight"
    for entry, row in zip(made, (first, second), strict=True):
        assert entry == AppendedEntry(
            "audit_logs", row["entry_id"], int(row["chain_position"]), row["chain_hash"],
            row["previous_hash"], row["timestamp"],
        )  # fmt: skip
    day, clock = second["timestamp"].split("T")
    assert len(clock) == len("09:55:38.612416")
    stamp = f"{day.replace('-', '')}_{clock[:8].replace(':', '')}"
    assert second["entry_id"] == f"Größe_{stamp}_000001"

    payload = '{"b":1,  "a": "ä%s\\\\"}'
    logged = [
        log(place, payload=payload, resource="a'b", result="published", subsystem="core"),
        log(place),
        log(place, payload={"b": 1, "a": 2}),
    ]
    rows = one_chain(place, "immutable_log")
    assert [row["payload"] for row in rows] == [payload, None, '{"a": 2, "b": 1}']
    assert rows[1]["resource"] is rows[1]["result"] is None
    assert [entry.position for entry in logged] == [1, 2, 3]
    assert [entry.chain_hash for entry in logged] == [row["entry_hash"] for row in rows]
    ids = [str(key) for (key,) in place.run("select id from immutable_log order by sequence")]
    assert [entry.entry_id for entry in logged] == ids


def test_keys_become_texts_as_in_json(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    append(place, data={2: "two", None: 1, True: (1, 2)})
    [row] = one_chain(place, "audit_logs")
    assert row["data_json"] == '{"2": "two", "null": 1, "true": [1, 2]}'


def test_the_package_offers_it(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    assert grace_dbt.append_audit_log(place.url, category="a", data={}).position == 0
    with pytest.raises(AttributeError):
        _ = grace_dbt.append_something


def test_it_joins_the_transaction_of_its_caller(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    with open_database(OperationalUrl.parse(place.url), write=True) as database:
        with pytest.raises(ZeroDivisionError), database.transaction():
            chain_audit_log(database, category="a", data={})
            _ = 1 / 0
        with database.transaction():
            chain_audit_log(database, category="a", data={})
            chain_audit_log(database, category="b", data={})
    assert [row["category"] for row in one_chain(place, "audit_logs")] == ["a", "b"]


# --- the end of the chain


def positions(place: Place, previous: str) -> Rows:
    """Rows that follow an entry."""
    return [row for row in read(place, "audit_logs") if row["previous_hash"] == previous]


@EACH_ENGINE
def test_the_end_is_that_of_the_newest_segment(dialect: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    old, new = raw_segment("2025-10-01", 7), raw_segment("2025-10-02", 3)
    put(place, *old, *new)
    made = append(place)
    assert (made.position, made.previous_hash) == (3, new[-1]["chain_hash"])
    assert append(place).previous_hash == made.chain_hash
    added = [row for row in read(place, "audit_logs") if row["category"] == "test"]
    segment([*({k: str(v) for k, v in row.items()} for row in new), *added])


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_an_old_segment_that_goes_on_is_not_the_newest(dialect: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    old = raw_segment("2025-10-01", 20)
    young = raw_segment("2025-10-01", 4, lambda n: 10 + n)
    for row in young:
        row["entry_id"] += "_young"
        row["hash"], row["chain_hash"] = sealed_audit(row)
    for before, row in pairwise(young):
        row["previous_hash"] = before["chain_hash"]
        row["hash"], row["chain_hash"] = sealed_audit(row)
    put(place, *old, *young)
    assert append(place).previous_hash == young[-1]["chain_hash"]


@EACH_ENGINE
def test_the_end_is_found_whatever_the_clocks_said(dialect: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    # The clock was set back at noon, in a long segment with a short one before it.
    back = raw_segment("2025-10-02", 300, lambda n: 700 + n if n < 20 else 100 + n)
    put(place, *back)
    assert append(place).previous_hash == back[-1]["chain_hash"]
    other = fresh_place(dialect)
    put(other, *raw_segment("2025-10-01", 2), *back)
    made = append(other)
    assert (made.position, made.previous_hash) == (300, back[-1]["chain_hash"])


def test_an_entry_does_not_lie_before_its_predecessor(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    put(place, raw_entry(0, "genesis", "2999-01-01 10:00:00+02:00"))
    assert append(place).timestamp == "2999-01-01T08:00:00.000000"
    assert append(place).entry_id == "test_29990101_080000_000002"
    unread = fresh_place("sqlite")
    put(unread, raw_entry(0, "genesis", "yesterday"))
    assert append(unread).position == 1
    log(unread)
    place.run("select 1")
    with closing(sqlite3.connect(str(unread.path))) as connection, connection:
        connection.execute("drop trigger immutable_log__never_updated")
        connection.execute("update immutable_log set timestamp = '2999-01-01 10:00:00'")
    assert log(unread).timestamp == "2999-01-01 10:00:00.000000"


def test_rows_without_a_place_in_the_chain_are_passed_over(fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    stray = raw_entry(0, "genesis", "2999-01-01T00:00:00.000000", entry_id="stray")
    put(place, stray | {"chain_position": None, "chain_hash": None})
    assert append(place).position == 0
    assert append(place).position == 1


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])  # DuckDB scans a column in milliseconds
def test_the_end_is_found_by_indexes(
    dialect: str, segments: int, fresh_place: NewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fresh_place(dialect)
    # MariaDB sorts all rows where it has few.
    _fill(place, 30_000 if dialect == "mariadb" else 6_000, segments)
    asked: list[tuple[str, list[Any]]] = []
    with open_database(OperationalUrl.parse(place.url), write=True) as database:
        run = database.run

        def recorded(sql: str, values: Any) -> Any:
            asked.append((sql, list(values)))
            return run(sql, values)

        monkeypatch.setattr(database, "run", recorded)
        with database.transaction():
            chain_audit_log(database, category="test", data={})
        looks = [(sql, values) for sql, values in asked if " from audit_logs" in sql]
        assert len(looks) >= 2
        for sql, values in looks:
            explain = "explain query plan" if dialect == "sqlite" else "explain"
            plan = " ".join(str(row) for row in run(f"{explain} {sql}", values))
            for bad in ("SCAN audit_logs'", "TEMP B-TREE", "Seq Scan", "Sort", "filesort", "'ALL'"):
                assert bad not in plan, f"{sql}: {plan}"


def _fill(place: Place, count: int, segments: int) -> None:
    """Many rows that look like a chain to an index; their seals are not looked at."""
    with closing(RawDatabase.open(place)) as database:
        database.execute("begin")
        each = count // segments
        for begun in range(0, count, 500):
            rows = []
            for n in range(begun, min(begun + 500, count)):
                part, position = divmod(n, each)
                moment = f"2025-10-{part + 1:02d}T00:{position // 60 % 1000:03d}:{position % 60:02d}.000000"
                rows.append(
                    f"('e{n}', 'raw', '{{}}', 'public', '{moment}', 'h', 'p{part}.{position}',"
                    f" 'p{part}.{position + 1}', {position})"
                )
            database.execute(
                "insert into audit_logs (entry_id, category, data_json, transparency_level, timestamp, hash,"
                f" previous_hash, chain_hash, chain_position) values {', '.join(rows)}"
            )
        database.execute("commit")
        if place.dialect in SERVERS:
            word = "table " if place.dialect == "mariadb" else ""
            database.execute(f"analyze {word}audit_logs")


# --- others


@pytest.mark.parametrize("chain", CHAINS)
@EACH_ENGINE
def test_many_appenders_make_one_chain(dialect: str, chain: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    threads = 4 if APPENDERS >= 16 else 2
    # A DuckDB file is opened and closed for each entry, since nobody else reads or writes meanwhile.
    appenders, entries = (
        (min(APPENDERS, 8), min(ENTRIES, 10)) if dialect == "duckdb" else (APPENDERS, ENTRIES)
    )
    began = time.monotonic()
    processes = [
        start(place, chain, str(name), threads, entries) for name in range(appenders // threads)
    ]
    told: set[tuple[str, ...]] = set()
    for process in processes:
        output, errors = process.communicate(timeout=1_800)
        assert process.returncode == 0, errors
        told.update(tuple(line.split()) for line in output.splitlines())
    seconds = time.monotonic() - began
    rows = one_chain(place, chain)
    assert len(rows) == len(told) == appenders * entries
    first = 0 if chain == "audit_logs" else 1
    found = {
        (str(n), who, str(number)) for n, (who, number) in enumerate(map(who_wrote, rows), first)
    }
    assert found == told
    by_writer: dict[str, list[int]] = {}
    for who, number in map(who_wrote, rows):
        by_writer.setdefault(who, []).append(number)
    assert all(numbers == list(range(entries)) for numbers in by_writer.values())
    print(f"{dialect} {chain}: {appenders} x {entries} in {seconds:.1f} s")


@pytest.mark.parametrize("chain", CHAINS)
@EACH_ENGINE
def test_a_killed_writer_leaves_a_whole_chain(
    dialect: str, chain: str, fresh_place: NewPlace
) -> None:
    place = fresh_place(dialect)
    told: list[list[str]] = []
    for attempt in range(3):
        process = start(place, chain, str(attempt), 3, 100_000)
        assert process.stdout and process.stderr
        for _ in range(5 + 4 * attempt):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            told.append(line.split())
        os.killpg(process.pid, signal.SIGKILL)
        # What it had said besides is there as well; a word that was cut off is none.
        rest = process.stdout.read()
        told += [line.split() for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        process.wait()
        process.stdout.close()
        process.stderr.close()
    _when_free(place, chain)
    rows = one_chain(place, chain)
    first = 0 if chain == "audit_logs" else 1
    found = {n: who_wrote(row) for n, row in enumerate(rows[:-1], first)}
    assert told
    for position, who, number in told:
        assert found[int(position)] == (who, int(number))


def _when_free(place: Place, chain: str) -> None:
    """One more entry: a server notices late that its client is gone."""
    if chain == "audit_logs":
        append(place, data={"who": "last", "number": 0})
    else:
        log(place, payload={"number": 0})


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_grace_is_waited_for(dialect: str, fresh_place: NewPlace) -> None:
    """Grace, which knows nothing of our locks, is amid a transaction of its own."""
    place = fresh_place(dialect)
    first = append(place)
    theirs = raw_entry(1, first.chain_hash, "2999-01-01T00:00:00.000000")
    with closing(RawDatabase.open(place)) as grace, ThreadPoolExecutor(1) as pool:
        grace.execute("begin immediate" if dialect == "sqlite" else "begin")
        insert(grace, "audit_logs", theirs)
        ours = pool.submit(append, place)
        time.sleep(0.5)
        assert not ours.done()
        grace.execute("commit")
        made = ours.result(timeout=60)
    assert (made.position, made.previous_hash) == (2, theirs["chain_hash"])
    segment(read(place, "audit_logs"))


@pytest.mark.parametrize("dialect", SERVERS)
def test_a_sequence_that_grace_took_is_not_taken_twice(dialect: str, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    with closing(RawDatabase.open(place)) as grace, ThreadPoolExecutor(1) as pool:
        grace.execute("begin")
        words = f"1:g:a:None:None:None:{'0' * 64}"
        row = {
            "sequence": 1, "actor": "g", "action": "a", "previous_hash": "0" * 64,
            "entry_hash": hashlib.sha256(words.encode()).hexdigest(),
        }  # fmt: skip
        insert(grace, "immutable_log", row)
        ours = pool.submit(log, place)
        time.sleep(0.3)
        grace.execute("commit")
        assert ours.result(timeout=60).position == 2
    one_chain(place, "immutable_log")


def test_who_may_insert_alone_needs_no_lock(fresh_place: NewPlace) -> None:
    place = fresh_place("postgres")
    assert place.server
    role = f"writer_{place.server.database}"
    place.run(
        f"create role {role} login password 'x'",
        f"grant select, insert on audit_logs to {role}",
        f"grant select, insert, update on log_categories to {role}",
    )
    try:
        url = f"postgresql://{role}:x@127.0.0.1:{place.server.port}/{place.server.database}"
        append_audit_log(url, category="test", data={})
        append(place)
        assert len(one_chain(place, "audit_logs")) == 2
        with pytest.raises(GraceError) as caught:
            append_immutable_log(
                url, actor="a", action="b", resource=None, payload=None, result=None
            )
        assert caught.value.exit_code == 3
        assert "may not do that" in caught.value.message
    finally:
        place.run(f"drop owned by {role}", f"drop role {role}")


@contextmanager
def locked(place: Place) -> Iterator[None]:
    with closing(RawDatabase.open(place)) as other:
        other.execute("begin immediate" if place.dialect == "sqlite" else "begin")
        if place.dialect != "duckdb":
            insert(other, "audit_logs", raw_entry(0, "genesis", "2025-10-01T00:00:00.000000"))
        yield
        other.execute("rollback")


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_a_lock_is_waited_for_to_a_bound(
    dialect: str, fresh_place: NewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fresh_place(dialect)
    monkeypatch.setattr(backend, "WAIT_SECONDS", 1.0)
    began = time.monotonic()
    with locked(place), pytest.raises(GraceError) as caught:
        append(place)
    assert 0.9 < time.monotonic() - began < 15
    assert caught.value.exit_code == 3
    assert caught.value.message == f"Others were writing to {place.shown} for more than 1 seconds."
    assert "nothing was written" in caught.value.hint
    assert read(place, "audit_logs") == []


def test_a_duckdb_file_that_is_held_is_waited_for(
    fresh_place: NewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fresh_place("duckdb")
    code = f"import duckdb, sys; c = duckdb.connect({str(place.path)!r}); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdin
        holder.stdout.readline()
        with monkeypatch.context() as patched:
            patched.setattr(backend, "WAIT_SECONDS", 0.5)
            with pytest.raises(GraceError) as caught:
                append(place)
        threading.Timer(0.5, holder.stdin.close).start()
        assert append(place).position == 0
    assert caught.value.exit_code == 3
    assert "open for more than" in caught.value.message


def test_who_is_in_the_way_again_and_again_is_tried_again(
    fresh_place: NewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fresh_place("sqlite")
    monkeypatch.setattr(backend, "WAIT_SECONDS", 0.01)
    pauses: list[float] = []
    with closing(RawDatabase.open(place)) as other:
        other.execute("begin immediate")
        monkeypatch.setattr(time, "monotonic", lambda: 0.0)

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 8:
                other.execute("commit")

        monkeypatch.setattr(time, "sleep", sleep)
        assert append(place).position == 0
    assert len(pauses) == 8
    assert all(pause <= 0.5 for pause in pauses)
    assert max(pauses[:2]) < 0.03 < min(pauses[-2:])


HOLDS = {
    "sqlite": "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('begin immediate')",
    "duckdb": "import duckdb, sys; duckdb.connect(sys.argv[1])",
}


@pytest.mark.parametrize("dialect", HOLDS)
def test_a_second_look_gives_no_lock_away(dialect: str, fresh_place: NewPlace) -> None:
    """To close any handle of a file gives up the locks that other threads of the process have on it."""
    place = fresh_place(dialect)
    url = OperationalUrl.parse(place.url)

    def is_held() -> bool:
        command = [sys.executable, "-c", HOLDS[dialect], str(place.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "lock" in done.stderr, done.stderr
        return done.returncode != 0

    with open_database(url, write=True) as first, first.transaction():
        assert is_held()
        with open_database(url, write=True) as second:
            second.finds("select 1")
        assert is_held()
    assert not is_held()


# --- what can't be appended


def nested(depth: int) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for _ in range(depth - 1):
        data = {"in": data}
    return data


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"category": ""}, "The category is empty."),
        ({"category": " \n"}, "The category is empty."),
        ({"category": None}, "The category is empty."),
        ({"category": "a\0b"}, "NUL"),
        ({"category": "x" * 201}, "201 characters"),
        ({"category": "\udc80"}, "surrogate"),
        ({"level": ""}, "The level is empty."),
        ({"level": "a\0"}, "NUL"),
        ({"data": [1]}, "no JSON object but a list"),
        ({"data": None}, "no JSON object but null"),
        ({"data": "text"}, "no JSON object but a text"),
        ({"data": {"x": math.nan}}, "not what JSON can say"),
        ({"data": {"x": [-math.inf]}}, "not what JSON can say"),
        ({"data": {"x": {1, 2}}}, "not what JSON can say"),
        ({"data": {(1, 2): 1}}, "not what JSON can say"),
        ({"data": {"x": "\ud800"}}, "surrogate"),
        ({"data": nested(201)}, "nested deeper than 200"),
        ({"data": nested(5_000)}, "nested deeper than 200"),
        ({"data": {"x": "y" * 4 * 2**20}}, "characters"),
        ({"data": {"x": "y" * (4 * 2**20 - 20)}, "level": "l" * 100}, "bytes"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    given: dict[str, Any], said: str, fresh_place: NewPlace
) -> None:
    place = fresh_place("sqlite")
    with pytest.raises(GraceError) as caught:
        append(place, **given)
    assert caught.value.exit_code == 2
    assert said in caught.value.message
    assert read(place, "audit_logs") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"actor": ""}, "The actor is empty."),
        ({"action": " "}, "The action is empty."),
        ({"payload": "a\0"}, "The payload holds a NUL"),
        ({"payload": {"x": math.nan}}, "not what JSON can say"),
        ({"resource": 7}, "The resource is no text but a number."),
        ({"subsystem": "s" * 256}, "256 characters"),
    ],
)
def test_what_cannot_be_logged_is_refused(
    given: dict[str, Any], said: str, fresh_place: NewPlace
) -> None:
    place = fresh_place("sqlite")
    with pytest.raises(GraceError) as caught:
        log(place, **given)
    assert caught.value.exit_code == 2
    assert said in caught.value.message


@EACH_ENGINE
def test_what_is_just_small_enough_is_kept_on_every_engine(
    dialect: str, fresh_place: NewPlace
) -> None:
    place = fresh_place(dialect)
    append(place, data={"x": '"' * (2 * 2**20 - 1_000)}, category="€" * 200)
    append(place, data=nested(200))
    log(place, payload="'" * (4 * 2**20 - 1_000), actor="a" * 20, subsystem="€" * 255)
    assert len(one_chain(place, "audit_logs")) == 2
    assert len(one_chain(place, "immutable_log")) == 1


@EACH_ENGINE
def test_missing_tables_are_named(dialect: str, new_place: NewPlace) -> None:
    place = new_place(dialect)
    place.run("create table t (x integer)")
    for add, table in ((append, "audit_logs, log_categories"), (log, "immutable_log")):
        with pytest.raises(GraceError) as caught:
            add(place)
        assert caught.value.exit_code == 3
        assert (
            caught.value.message
            == f"The database {place.shown} lacks {table}; nothing was written."
        )
        assert caught.value.hint == f"Create the tables first: grace-dbt init --db {place.shown}"


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_missing_file_is_not_made(dialect: str, new_place: NewPlace) -> None:
    place = new_place(dialect)
    with pytest.raises(GraceError) as caught:
        append(place)
    assert place.path
    assert (caught.value.exit_code, place.path.exists()) == (3, False)


def test_the_place_is_counted_with_the_entry(fresh_place: NewPlace) -> None:
    """An entry that can't be counted is not there."""
    place = fresh_place("sqlite")
    place.run("drop table log_categories")
    with pytest.raises(GraceError) as caught:
        append(place)
    assert "lacks log_categories" in caught.value.message
    assert read(place, "audit_logs") == []


# --- the command


def test_the_command_prints_what_it_appended(
    grace_cli: GraceCli, fresh_place: NewPlace, tmp_path: Path
) -> None:
    place = fresh_place("sqlite")
    (tmp_path / "data.json").write_text('{"from": "file ä"}', encoding="utf-8")
    command = ("audit", "append", "--db", place.url, "--category", "note", "--data")
    plain = grace_cli.run(*command, '{"b": 1, "a": [2]}')
    assert plain.returncode == 0, plain.stderr
    told = grace_cli.run(*command, f"@{tmp_path}/data.json", "--level", "public", "--json")
    assert told.returncode == 0, told.stderr
    piped = subprocess.run(
        grace_cli.command(*command, "-"),
        env=environment(grace_cli.home),
        input='{"from": "stdin"}',
        capture_output=True,
        text=True,
        check=False,
    )
    assert piped.returncode == 0, piped.stderr
    rows = one_chain(place, "audit_logs")
    assert plain.stdout.split() == [rows[0]["entry_id"], "0", rows[0]["chain_hash"]]
    assert rows[0]["data_json"] == '{"a": [2], "b": 1}'
    data = json.loads(told.stdout)
    assert data["url"] == place.shown
    assert (data["entry_id"], data["position"], data["chain_hash"]) == (
        rows[1]["entry_id"],
        1,
        rows[1]["chain_hash"],
    )
    assert json.loads(rows[1]["data_json"]) == {"from": "file ä"}
    assert json.loads(rows[2]["data_json"]) == {"from": "stdin"}


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("[1]", 2, "no JSON object but a list"),
        ("{", 2, "The data is no JSON"),
        ('{"x": NaN}', 2, "not what JSON can say"),
        ('{"x": 1e999}', 2, "not what JSON can say"),
        ("@/no/such/file", 2, "/no/such/file can't be read"),
    ],
)
def test_the_command_refuses_what_is_no_object(
    given: str, code: int, said: str, grace_cli: GraceCli, fresh_place: NewPlace
) -> None:
    place = fresh_place("sqlite")
    done = grace_cli.run(
        *("audit", "append", "--db", place.url, "--category", "c", "--data", given)
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written(grace_cli: GraceCli, fresh_place: NewPlace) -> None:
    place = fresh_place("sqlite")
    assert place.path
    command = ("audit", "append", "--db", place.url, "--category", "c", "--data", "{}")
    place.path.chmod(0o444)
    done = grace_cli.run(*command, rights=False)
    assert (done.returncode, "can't be written" in done.stderr) == (3, True), done.stderr
    place.path.chmod(0o644)
    size = place.path.stat().st_size

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = grace_cli.run(*command, limits=full)
    assert done.returncode == 3, done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert place.path.stat().st_size == size
    assert read(place, "audit_logs") == []
    assert append(place).position == 0
