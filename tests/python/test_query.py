"""What a reader may ask of a snapshot, in Python and on the command line, and how the answer is told."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, GraceCli, environment

import grace_dbt
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import Published, publish
from grace_dbt.reading import Snapshot
from grace_dbt.settings import Settings


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """A GRACE_HOME with one snapshot, and what was published."""
    home = tmp_path_factory.mktemp("query") / "home"
    home.mkdir()
    settings = Settings(home, FileUrl("sqlite", home / "none.sqlite"))
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("""
            create table dim_tier as select * from (values (1, 'Operational'), (2, 'Tactical')) t(tier_key, tier_name);
            create table fact_thing as
                select i as fact_key, timestamptz '2026-01-01 00:00:00+02' as seen_at from range(10) t(i);
            create table every_type as select * exclude (medium_enum, large_enum) from test_all_types();
        """)
    tables = ("dim_tier", "every_type", "fact_thing")
    return home, publish(settings, datetime(2026, 1, 2, tzinfo=UTC), tables, run_id="run-7")


@pytest.fixture
def snapshot(published: tuple[Path, Published]) -> Iterator[Snapshot]:
    with grace_dbt.open_snapshot(published[0]) as opened:
        yield opened


@pytest.fixture
def cli(published: tuple[Path, Published]) -> GraceCli:
    return GraceCli(published[0])


def assert_refused(error: GraceError, *words: str) -> None:
    assert error.exit_code == ExitCode.USAGE
    for word in words:
        assert word in error.message


# --- in Python


def test_a_handle_says_what_it_reads(snapshot: Snapshot, published: tuple[Path, Published]) -> None:
    told = published[1]
    assert str(snapshot.path) == told.snapshot_path
    assert (snapshot.number, snapshot.run_id) == (1, "run-7")
    assert snapshot.as_of == datetime(2026, 1, 2, tzinfo=UTC)
    assert snapshot.built_at.isoformat(timespec="milliseconds") == told.built_at
    assert snapshot.tables == {"dim_tier": 2, "every_type": 3, "fact_thing": 10}
    assert snapshot.lag_seconds > 0


@pytest.mark.parametrize(
    "name", ["dim_tier", "main.dim_tier", "cube.main.dim_tier", "cube.dim_tier"]
)
def test_names_resolve_short_and_in_full(snapshot: Snapshot, name: str) -> None:
    assert snapshot.query(f"select count(*) from {name}").fetchall() == [(2,)]


def test_parameters_and_utc(snapshot: Snapshot) -> None:
    by_place = snapshot.query("select tier_name from dim_tier where tier_key = ?", [2])
    by_name = snapshot.query("select tier_name from dim_tier where tier_key = $key", {"key": 1})
    assert (by_place.fetchall(), by_name.fetchall()) == ([("Tactical",)], [("Operational",)])
    said = snapshot.query("select distinct cast(seen_at as varchar) from fact_thing").fetchall()
    assert said == [("2025-12-31 22:00:00+00",)]


def test_two_handles_and_a_plain_client_in_one_process(
    snapshot: Snapshot, published: tuple[Path, Published]
) -> None:
    with (
        grace_dbt.open_snapshot(published[0]) as second,
        duckdb.connect(published[1].snapshot_path, read_only=True) as plain,
    ):
        for reader in (snapshot.query, second.query, plain.execute):
            assert reader("select count(*) from dim_tier").fetchall() == [(2,)]
    assert snapshot.query("select count(*) from dim_tier").fetchall() == [(2,)]


def test_threads_share_a_handle(snapshot: Snapshot) -> None:
    seen: list[list[tuple[int, ...]]] = []

    def read(number: int) -> None:
        for _ in range(50):
            seen.append(snapshot.query("select ?, count(*) from fact_thing", [number]).fetchall())

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([[(number, 10)] for number in range(8)] * 50)


READING = ("select 1", "values (1)", "from dim_tier", "show tables", "describe dim_tier", "summarize dim_tier",
           "with t as (select 1) select * from t", "/* why */ select 1; -- because",
           "pivot fact_thing on fact_key in (1, 2) using count(*)")  # fmt: skip


@pytest.mark.parametrize("sql", READING)
def test_what_reads_is_taken(snapshot: Snapshot, sql: str) -> None:
    assert snapshot.answer(sql).rows


WRITING = {
    "create table t as select 1": "CREATE", "create temp table t (a int)": "CREATE", "drop table dim_tier": "DROP",
    "insert into dim_tier values (3, 'x')": "INSERT", "delete from dim_tier": "DELETE",
    "update dim_tier set tier_name = ''": "UPDATE", "copy dim_tier to '{file}'": "COPY",
    "export database '{file}'": "EXPORT", "attach '{file}' as other": "ATTACH", "detach cube": "DETACH",
    "install httpfs": "LOAD", "load sqlite_scanner": "LOAD", "set threads = 9": "SET", "reset threads": "SET",
    "pragma threads = 9": "SET", "use memory": "SET", "call enable_logging()": "CALL", "checkpoint": "CALL",
    "begin": "TRANSACTION", "explain analyze copy dim_tier to '{file}'": "EXPLAIN", "vacuum": "VACUUM",
    "prepare p as select 1": "PREPARE", "create secret (type s3, key_id 'a', secret 'b')": "CREATE",
    "select 1; select 2": "2 statements", "select 1; drop table dim_tier": "2 statements", "": "0 statements",
    "pivot fact_thing on fact_key": "2 statements", "selct 1": "syntax error", "select setseed(0.5)": "setseed",
}  # fmt: skip


@pytest.mark.parametrize(("sql", "word"), WRITING.items())
def test_what_does_not_read_is_refused(
    snapshot: Snapshot, tmp_path: Path, sql: str, word: str
) -> None:
    with pytest.raises(GraceError) as caught:
        snapshot.answer(sql.format(file=tmp_path / "file"))
    assert_refused(caught.value, word)
    assert not list(tmp_path.iterdir())
    assert snapshot.query("select count(*) from dim_tier").fetchall() == [(2,)]


FILES = (
    "read_csv('{file}')", "read_text('{file}')", "read_blob('{file}')", "read_json('{file}')", "'{file}'",
    "read_parquet('{file}')", "glob('{folder}/*')", "sniff_csv('{file}')", "parquet_metadata('{file}')",
    "sqlite_scan('{file}', 't')", "read_csv('https://example.org/x.csv')", "query('copy dim_tier to ''{file}''')",
    "read_duckdb('{other}', table_name := 't')", "'{other}'.main.t", "query_table('{file}')",
)  # fmt: skip


@pytest.mark.parametrize("source", FILES)
def test_no_other_file_is_opened(snapshot: Snapshot, tmp_path: Path, source: str) -> None:
    file, other = tmp_path / "secret.csv", tmp_path / "other.duckdb"
    file.write_text("a,b\n1,2\n")
    with duckdb.connect(other) as connection:
        connection.execute("create table t as select 'secret' as a")
    before = file.read_bytes()
    with pytest.raises(GraceError):
        snapshot.answer("from " + source.format(file=file, folder=tmp_path, other=other))
    assert file.read_bytes() == before


def test_nothing_of_the_process_is_seen(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRACE_OPERATIONAL_PASSWORD", "hidden")
    with pytest.raises(duckdb.Error):
        snapshot.query("select getenv('GRACE_OPERATIONAL_PASSWORD')")
    assert snapshot.query("from duckdb_secrets()").fetchall() == []


def test_a_limit_is_told_and_holds_memory_down(snapshot: Snapshot) -> None:
    answer = snapshot.answer("select i, repeat('x', 1000) from range(100_000_000) t(i)", limit=3)
    assert ([row[0] for row in answer.rows], answer.truncated) == ([0, 1, 2], True)
    whole = snapshot.answer("from fact_thing", limit=10)
    assert (len(whole.rows), whole.truncated) == (10, False)


@pytest.mark.parametrize(
    "sql",
    ["select count(*) from range(100_000_000_000)", "select i from range(100_000_000_000) t(i) where hash(i) = 7"],
)  # fmt: skip
def test_a_query_that_takes_too_long_is_stopped(snapshot: Snapshot, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(GraceError, match=r"stopped after 0\.2 s") as caught:
        snapshot.answer(sql, timeout=0.2)
    assert caught.value.exit_code == ExitCode.BAD
    assert time.monotonic() - started < 5
    assert snapshot.answer("select 1").rows == [(1,)]


def test_a_question_cut_short_leaves_the_next_ones_alone(snapshot: Snapshot) -> None:
    """Connections serve again: not those whose rows were not all taken, or that were stopped."""
    for _ in range(3):
        assert snapshot.answer("select 1").rows == [(1,)]
        assert snapshot.answer("from range(1_000_000)", limit=2).truncated
        with pytest.raises(GraceError):
            snapshot.answer("select count(*) from range(100_000_000_000)", timeout=0.05)
        with pytest.raises(GraceError):
            snapshot.answer("select nonsense")
        with ThreadPoolExecutor(4) as pool:
            asked = [f"select {number}, count(*) from range({number})" for number in range(20)]
            answers = pool.map(snapshot.answer, asked)
            assert [a.rows for a in answers] == [[(number, number)] for number in range(20)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are seen on Linux alone")
def test_the_file_is_closed_when_the_block_ends(published: tuple[Path, Published]) -> None:
    def times_open() -> int:
        found = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        return found.count(os.path.realpath(published[1].snapshot_path))

    before = times_open()
    with grace_dbt.open_snapshot(published[0]) as snapshot:
        for _ in range(3):
            snapshot.answer("from dim_tier")
        assert times_open() > before
    assert times_open() == before


def test_a_query_that_takes_too_much_memory(published: tuple[Path, Published]) -> None:
    with (
        grace_dbt.open_snapshot(published[0], memory_limit="50MB") as small,
        pytest.raises(GraceError, match="more memory") as caught,
    ):
        small.answer("select list(repeat('x', 1000) || i) from range(1_000_000) t(i)")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_the_package_is_imported_without_duckdb() -> None:
    code = "import sys, grace_dbt; assert 'duckdb' not in sys.modules; grace_dbt.open_snapshot; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "duckdb" not in done.stdout.split()
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        grace_dbt.nonsense  # noqa: B018


# --- on the command line


def test_the_answer_as_json(cli: GraceCli) -> None:
    done = cli.run("query", "select * from dim_tier order by all", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "columns": ["tier_key", "tier_name"],
        "types": ["INTEGER", "VARCHAR"],
        "rows": [[1, "Operational"], [2, "Tactical"]],
        "truncated": False,
        "snapshot": "snap-000001.duckdb",
        "as_of": "2026-01-02T00:00:00+00:00",
    }
    assert done.stderr == ""


def test_sql_from_stdin_and_a_cut_that_is_told(cli: GraceCli) -> None:
    done = subprocess.run(
        cli.command("query", "-", "--limit", "4", "--format", "csv"),
        input="select fact_key, null as nothing\nfrom fact_thing order by all",
        env=environment(cli.home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "fact_key,nothing\n0,\n1,\n2,\n3,\n"
    assert "more than these 4 rows" in done.stderr
    asked = cli.run("query", "from fact_thing", "--limit", "9", "--json")
    assert json.loads(asked.stdout)["truncated"] is True
    assert "more than these 9 rows" in asked.stderr


ODD = """
select
    170141183460469231731687303715884105727 as huge, 1.10 as money, 'nan'::double as nan, '-inf'::float as infinite,
    timestamp '2026-01-02 03:04:05.678901' as naive, timestamptz '2026-01-02 03:04:05+02' as zoned,
    date '2026-01-02' as day, time '03:04:05' as clock, date '0044-03-15 (BC)' as ides, null as nothing,
    '\\x00\\xFF'::blob as bytes, 'ü 🦆 "q"' as words, [1, null] as list, {'a': [1.5], 'b': date '2026-01-02'} as struct,
    map {[1]: 'x'} as map, true as flag, chr(27) || '[31m' || chr(10) || chr(155) || 'ok' as control,
    '[bold]x[/]' as markup, 1 as same, 2 as same
"""
# By the documents of JSON, ISO 8601 and landing's own way to write bytes, not by the code.
TOLD = [
    170141183460469231731687303715884105727, "1.10", "nan", "-inf", "2026-01-02T03:04:05.678901",
    "2026-01-02T01:04:05+00:00", "2026-01-02", "03:04:05", "0044-03-15 (BC)", None, "\\x00ff", 'ü 🦆 "q"', [1, None],
    {"a": ["1.5"], "b": "2026-01-02"}, {"key": [[1]], "value": ["x"]}, True, "\x1b[31m\n\x9bok", "[bold]x[/]", 1, 2,
]  # fmt: skip


def test_values_of_every_kind(cli: GraceCli) -> None:
    told = cli.run("query", ODD, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout, parse_constant=pytest.fail)["rows"] == [TOLD]
    table = cli.run("query", ODD)
    assert table.returncode == 0, table.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", table.stdout), "a terminal would obey"
    for text in (
        "\\x1b[31m\\n\\x9bok",
        "[bold]x[/]",
        "NULL",
        '{"a": ["1.5"], "b": "2026-01-02"}',
        "ü 🦆",
    ):
        assert text in table.stdout
    lines = list(csv.reader(io.StringIO(cli.run("query", ODD, "--format", "csv").stdout)))
    assert lines[1][:3] == ["170141183460469231731687303715884105727", "1.10", "nan"]
    assert lines[1][-4:] == ["\x1b[31m\n\x9bok", "[bold]x[/]", "1", "2"]


@pytest.mark.parametrize("shape", ["table", "json", "csv"])
def test_every_type_of_duckdb_is_told(cli: GraceCli, shape: str) -> None:
    done = cli.run("query", "from every_type", "--format", shape)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_wide_table_loses_nothing(cli: GraceCli) -> None:
    values = ", ".join(f"'value {n:04d}' as c{n}" for n in range(100))
    done = cli.run("query", f"select {values}, repeat('w', 130) as long")
    for n in range(100):
        assert f"value {n:04d}" in done.stdout
    assert done.stdout.count("w") == 130


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("select nonsense from dim_tier",), 2, "nonsense"), (("drop table dim_tier",), 2, "DROP is refused"),
        (("select 1/'x'",), 2, "Could not convert"), (("select 1", "--limit", "0"), 2, "--limit"),
        (("select 1", "--format", "xml"), 2, "xml"), (("from read_csv('/etc/passwd')",), 2, "disabled"),
        (("select count(*) from range(100000000000)", "--timeout", "0.2"), 1, "stopped after 0.2 s"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told_in_two_lines(
    cli: GraceCli, arguments: tuple[str, ...], code: int, word: str
) -> None:
    done = cli.run("query", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    if "--limit" not in arguments and "--format" not in arguments:
        assert len(done.stderr.strip().splitlines()) == 2


def test_nothing_to_ask_before_the_first_snapshot(tmp_path: Path) -> None:
    done = GraceCli(tmp_path / "home").run("query", "select 1")
    assert done.returncode == 3
    assert "Run: grace-dbt refresh" in done.stderr
    assert not (tmp_path / "home").exists()
