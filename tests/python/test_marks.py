"""The mark of a database: other after every commit, and the same where none was."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from places import Place

from grace_dbt.operational.marks import Mark, database_mark
from grace_dbt.operational.url import FileUrl, OperationalUrl

ADD = "insert into t values (1)"


def mark(url: str) -> Mark:
    found = database_mark(OperationalUrl.parse(url))
    assert found is not None
    return found


@pytest.fixture
def journalled(tmp_path: Path) -> Callable[[str], Path]:
    """A SQLite file with one empty table and a journal of this kind."""

    def make(mode: str) -> Path:
        path = tmp_path / f"{mode}.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"pragma journal_mode = {mode}")
            connection.execute("create table t (v)")
            connection.commit()
        return path

    return make


@pytest.mark.parametrize("mode", ["delete", "wal", "persist", "truncate"])
def test_every_commit_of_sqlite_shows(journalled: Callable[[str], Path], mode: str) -> None:
    path = journalled(mode)
    url = f"sqlite:///{path}"
    seen = [mark(url).text]
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        for _ in range(5):
            writer.execute(ADD)
            seen.append(mark(url).text)
            assert mark(url).text == seen[-1]
    assert len(set(seen)) == len(seen)


def test_a_commit_that_moves_no_file_time_shows_in_shared_memory(
    journalled: Callable[[str], Path],
) -> None:
    """Frames are written first, and committed by a word in shared memory: the look may fall in between."""
    path = journalled("wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute(ADD)
        before = mark(f"sqlite:///{path}").text
        log = Path(f"{path}-wal")
        times = log.stat()
        writer.execute(ADD)
        os.utime(log, ns=(times.st_atime_ns, times.st_mtime_ns))
        after = mark(f"sqlite:///{path}").text
    told = [
        part
        for part, other in zip(before.split(), after.split(), strict=True)
        if part != other and "." not in part
    ]
    assert told, "the header of the shared memory is not in the mark"


def test_a_file_written_a_moment_ago_is_not_settled(journalled: Callable[[str], Path]) -> None:
    path = journalled("delete")
    assert not mark(f"sqlite:///{path}").settled
    deadline = time.monotonic() + 10
    while not mark(f"sqlite:///{path}").settled:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_time_ahead_of_the_clock_is_never_settled(journalled: Callable[[str], Path]) -> None:
    path = journalled("delete")
    os.utime(path, (time.time() + 3600,) * 2)
    assert not mark(f"sqlite:///{path}").settled


def test_reading_leaves_the_mark(journalled: Callable[[str], Path]) -> None:
    path = journalled("wal")
    before = mark(f"sqlite:///{path}").text
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        reader.execute("select * from t").fetchall()
    assert mark(f"sqlite:///{path}").text == before


def test_duckdb_shows_commits(tmp_path: Path) -> None:
    path = tmp_path / "grace.duckdb"
    seen = []
    for sql in ("create table t (v int)", ADD, ADD):
        with duckdb.connect(path) as connection:
            connection.execute(sql)
        seen.append(mark(f"duckdb:///{path}").text)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("dialect", ["postgres", "mariadb"])
def test_every_commit_on_a_server_shows(new_place: Callable[[str], Place], dialect: str) -> None:
    place = new_place(dialect)
    place.run("create table t (v int)")
    before = mark(place.url)
    assert before.settled
    assert mark(place.url) == before
    place.run(ADD)
    assert mark(place.url) != before


@pytest.mark.parametrize("dialect", ["postgres", "mariadb"])
def test_a_commit_of_what_was_open_at_the_look_shows(
    new_place: Callable[[str], Place], dialect: str
) -> None:
    """The transaction began before the look and ends after it: no counter moves with its end."""
    place = new_place(dialect)
    place.run("create table t (v int)")
    assert place.server
    with place.server.connect() as writer:
        cursor = writer.cursor()
        cursor.execute("begin")
        cursor.execute(ADD)
        during = mark(place.url)
        assert mark(place.url) == during
        cursor.execute("commit")
        assert mark(place.url) != during


def test_mysql_tells_no_mark_where_a_table_has_no_transactions(
    new_place: Callable[[str], Place],
) -> None:
    place = new_place("mariadb")
    place.run("create table t (v int) engine = MyISAM")
    assert database_mark(OperationalUrl.parse(place.url)) is None


def test_nothing_there_has_no_mark(tmp_path: Path) -> None:
    assert database_mark(FileUrl("sqlite", tmp_path / "none.sqlite")) is None
