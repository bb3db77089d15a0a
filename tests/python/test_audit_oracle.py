"""The oracle of the audit chains: it passes what is clean and finds each attack, on every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from hashlib import sha256

import pytest
from audit_oracle.attacks import ATTACKS, Attacker
from audit_oracle.expected import EXPECTED, SIZES
from audit_oracle.merkle import encoded, merkle_root
from audit_oracle.oracle import verify
from audit_oracle.writer import (
    AUDIT,
    LOG,
    ZEROS,
    Row,
    audit_hash,
    audit_logs,
    content_hash,
    generated,
    immutable_log,
    log_hash,
    read,
    recreate,
    write,
)
from conftest import ENGINES, SERVERS, Plan
from grace_sample import SAMPLE
from places import Place
from raw_drivers import RawDatabase
from servers import Server

TABLES = (LOG, AUDIT)
Tables = Callable[[str], AbstractContextManager[RawDatabase]]


def rows_of(table: str, dialect: str) -> list[Row]:
    return (
        immutable_log(*SIZES[LOG]) if table == LOG else audit_logs(*SIZES[AUDIT], dialect=dialect)
    )


@pytest.fixture(scope="module")
def tables(running: Callable[[str], Server], ddl_plan: dict[str, Plan]) -> Tables:
    """A database of a dialect with nothing but the two tables, empty and guarded."""
    places: dict[str, Place] = {}

    @contextmanager
    def make(dialect: str) -> Iterator[RawDatabase]:
        if dialect in SERVERS:
            if dialect not in places:
                places[dialect] = Place(dialect, server=running(dialect).create("audit_oracle"))
            database = RawDatabase.open(places[dialect])
        else:
            database = RawDatabase.in_memory(dialect)
        recreate(database, ddl_plan[dialect])
        with closing(database):
            yield database

    return make


def test_the_vectors_of_the_formats() -> None:
    log = {
        "sequence": 1,
        "actor": "testuser",
        "action": "knowledge.ingested",
        "resource": "Test Knowledge",
        "payload": '{"artifact_id": 1, "domain": "test", "type": "text"}',
        "result": "published",
        "previous_hash": ZEROS,
    }
    first = "3e6d566132bd6f93b3b75241313e3eae44330ff50ec3021068d5b0fa50d8d89e"
    assert log_hash(log) == first
    entry = {
        "entry_id": "governance_action_20250928_095538_000001",
        "category": "governance_action",
        "transparency_level": "democratic_oversight",
        "timestamp": "2025-09-28T09:55:38.612416",
        "data_json": '{"action_type": "kernel_shutdown", "action_data": {"timestamp":'
        ' "2025-09-28T09:55:38.610904", "snapshot_id": "govsnap_20250928_095538_5b433e1b",'
        ' "reason": "graceful_shutdown"}, "logged_by": "governance_engine"}',
        "previous_hash": "5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523",
        "chain_position": 1,
    }
    entry["hash"] = content_hash(entry)
    assert entry["hash"] == "cf3eefad64b7fc2f10161532a916ee9bdf3edef252f9eb017c428a835bfb4a47"
    assert audit_hash(entry) == "ec78e41f125f895b1dd5582a78d07b4895a606004f1e0bfcafacedbc55ddfdca"


def test_every_attack_has_an_expectation() -> None:
    assert {table: set(attacks) for table, attacks in ATTACKS.items()} == {
        table: set(expected) for table, expected in EXPECTED.items()
    }


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dialect", ENGINES)
def test_clean_chains_pass(dialect: str, table: str, tables: Tables) -> None:
    for rows in (
        rows_of(table, dialect),
        generated(table, 300, dialect=dialect, seed=7),
        immutable_log(40, seed=3) if table == LOG else audit_logs(20, 1, 20, dialect=dialect),
        [],
    ):
        with tables(dialect) as database:
            write(database, table, rows)
            stored = read(database, table)
        reading = verify(table, stored)
        assert reading.intact, reading.wrong[:3]
        assert sum(part.entries for part in reading.parts) == len(rows) == len(stored)


@pytest.mark.parametrize("dialect", ENGINES)
@pytest.mark.parametrize(
    ("table", "attack"), [(table, attack) for table in TABLES for attack in ATTACKS[table]]
)
def test_each_attack_is_found(dialect: str, table: str, attack: str, tables: Tables) -> None:
    with tables(dialect) as database:
        write(database, table, rows_of(table, dialect))
        attacker = Attacker(database, table, rows_of(table, dialect))
        before = attacker.stored()
        ATTACKS[table][attack](attacker)
        stored = attacker.stored()
    assert sorted(map(str, stored)) != sorted(map(str, before)), "nothing was attacked"
    reading = verify(table, stored)
    expected = EXPECTED[table][attack].alone
    if expected is None:
        assert reading.intact, reading.wrong
        return
    kind, position = expected
    assert reading.first == position
    certain = [at for at in reading.wrong if at.certain]
    assert any(kind in at.kinds for at in certain if at.position == position), certain
    assert len(certain) <= 3, certain


@pytest.mark.parametrize("attack", ATTACKS[LOG])
def test_the_sample_of_a_real_deployment(attack: str) -> None:
    with closing(RawDatabase.in_memory("sqlite")) as database:
        with closing(sqlite3.connect(SAMPLE)) as sample:
            [(sql,)] = sample.execute("select sql from sqlite_master where name = ?", [LOG])
            database.execute(sql)
            names = [column for _, column, *_ in sample.execute(f"pragma table_info({LOG})")]
            rows = [
                dict(zip(names, row, strict=True))
                for row in sample.execute(f"select * from {LOG} order by sequence")
            ]
        write(database, LOG, rows)
        assert verify(LOG, read(database, LOG)).intact
        if attack == "say None for NULL" and all(row["payload"] for row in rows):
            return
        attacker = Attacker(database, LOG, rows)
        ATTACKS[LOG][attack](attacker)
        found = verify(LOG, attacker.stored())
    assert found.intact == (EXPECTED[LOG][attack].alone is None)


def test_the_merkle_root_of_few_and_of_many() -> None:
    def digest(text: str) -> str:
        return sha256(text.encode()).hexdigest()

    columns = ("a", "b")
    one = {"a": "é:", "b": None}
    assert encoded(one, columns) == "a=3:é:;b=-;"
    leaf = digest("row:a=3:é:;b=-;")
    assert merkle_root([one], columns) == leaf
    assert merkle_root([one] * 3, columns) == digest("node:" + f"{leaf}\n" * 3)
    full, rest = digest("node:" + f"{leaf}\n" * 1024), digest(f"node:{leaf}\n")
    assert merkle_root([one] * 1025, columns) == digest(f"node:{full}\n{rest}\n")


def test_the_encoding_of_a_row_is_that_of_no_other() -> None:
    values = (None, "", "-", "0:", "1:a;b=1:", ";b=-;", "a")
    rows = [{"a": a, "b": b} for a in values for b in values]
    texts = {encoded(row, ("a", "b")) for row in rows}
    assert len(texts) == len(rows)
