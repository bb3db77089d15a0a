"""Snapshots: whole, immutable, swapped at once, kept while somebody reads them; the history that goes with them.

The build is a small DuckDB file of the test's own, so that fifty publications take seconds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import environment, without_rights

import grace_dbt
from grace_dbt import publishing, reading
from grace_dbt.build_file import damage_of, restore_history, set_aside_build
from grace_dbt.errors import GraceError
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import Published, current, publish
from grace_dbt.settings import Settings

TABLES = ("dim_thing", "fact_thing")
AS_OF = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FACTS = 5000
# Publishes the build of GRACE_HOME in a process of its own; the words run first.
PUBLISH = """
import os, sys
from datetime import UTC, datetime
from grace_dbt import publishing
from grace_dbt.errors import GraceError
from grace_dbt.settings import Settings
def die(*arguments, **more): os.kill(os.getpid(), 9)
fill = None
{words}
try:
    publishing.publish(Settings.load(), datetime.now(UTC), {tables}, fill=fill)
except GraceError as error:
    print(error.message, error.hint, sep="\\n", file=sys.stderr)
    sys.exit(error.exit_code)
"""
# Holds the newest snapshot, says so, and waits.
HOLD = """
import sys, time, grace_dbt
with grace_dbt.open_snapshot() as snapshot:
    print(snapshot.path, *snapshot.query("select count(*) from fact_thing").fetchone(), flush=True)
    sys.stdin.read()
"""
# Opens the newest snapshot as often as it is told, and asks it twice.
READ = """
import sys, grace_dbt
for _ in range(int(sys.argv[1])):
    with grace_dbt.open_snapshot() as snapshot:
        for table in ("fact_thing", "cube.main.dim_thing"):
            seen = snapshot.query(f"select min(number), max(number), count(*) from {table}").fetchall()
            print(snapshot.number, snapshot.run_id, *seen[0], snapshot.tables[table.split(".")[-1]])
"""


def build(settings: Settings, number: int, facts: int = FACTS) -> None:
    """A build whose rows all carry one number."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(f"""
            create or replace table dim_thing as
                select i as thing_key, {number} as number, i as _seen from range(3) t(i);
            create or replace table fact_thing as
                select i as fact_key, {number} as number, hash(i)::varchar as word, 'raw' as _raw
                from range({facts}) t(i);
            comment on table dim_thing is 'It''s a thing';
            comment on column dim_thing.number is 'Its number';
            comment on column dim_thing._seen is 'Hidden';
            create schema if not exists landing;
            create or replace table landing.land_things as select i, repeat('secret', 50) as raw from range(2000) t(i);
            create schema if not exists snapshots;
            create or replace table snapshots.snap_things as select i as id, {number} as number from range(500) t(i);
        """)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(tmp_path / "home", FileUrl("sqlite", tmp_path / "none.sqlite"))
    build(made, 1)
    return made


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.snapshots.iterdir())


def run(
    settings: Settings, code: str, *arguments: str, prefix: tuple[str, ...] = (),
    limits: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    return subprocess.run(
        [*prefix, sys.executable, "-c", code, *arguments],
        env=environment(settings.home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limits,
    )


def start(settings: Settings, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment(settings.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def look(published: Published, sql: str) -> list[tuple[Any, ...]]:
    """What a client sees that knows nothing of this package."""
    with duckdb.connect(published.snapshot_path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def assert_whole(settings: Settings, number: int) -> None:
    """The current snapshot holds the rows of the build that had this number, and nothing lies half written."""
    published = current(settings)
    assert published is not None
    seen = "select min(number), max(number), count(*) from"
    assert look(published, f"{seen} fact_thing") == [(number, number, FACTS)]
    assert look(published, f"{seen} dim_thing") == [(number, number, 3)]
    assert published.rows == {"dim_thing": 3, "fact_thing": FACTS}
    assert not [name for name in files(settings) if "draft" in name or "wal" in name]


# --- what is published


def test_a_snapshot_holds_the_cube_and_no_more(settings: Settings) -> None:
    published = publish(settings, AS_OF, TABLES, run_id="run-7")
    assert published == current(settings)
    assert (published.run_id, published.as_of) == ("run-7", "2026-01-02T03:04:05.000+00:00")
    assert_whole(settings, 1)
    columns = "select column_name, comment from duckdb_columns() where table_name = 'dim_thing'"
    assert look(published, columns) == [("thing_key", None), ("number", "Its number")]
    tables = "select schema_name, table_name, comment from duckdb_tables() order by all"
    assert look(published, tables) == [
        ("main", "dim_thing", "It's a thing"),
        ("main", "fact_thing", None),
    ]
    mode = stat.S_IMODE(Path(published.snapshot_path).stat().st_mode)
    assert mode == 0o444
    assert b"secretsecret" not in Path(published.snapshot_path).read_bytes()
    assert files(settings) == ["current.json", "history-000001.duckdb", "snap-000001.duckdb"]


def test_a_caller_fills_a_table(settings: Settings) -> None:
    def fill(connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.execute("insert into snapshot.main.dim_thing values (9, 1)")
        connection.execute(f"comment on table snapshot.main.fact_thing is '{name}'")

    published = publish(settings, AS_OF, TABLES, fill=fill)
    assert published.rows["dim_thing"] == 4
    assert look(published, "select count(*) from dim_thing") == [(4,)]
    said = look(published, "select comment from duckdb_tables() where table_name = 'fact_thing'")
    assert said == [("snap-000001.duckdb",)]


def test_a_caller_that_fails_publishes_nothing(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    build(settings, 2)

    def fill(connection: duckdb.DuckDBPyConnection, name: str) -> None:
        connection.execute("insert into snapshot.main.dim_thing values (9, 1)")
        raise LookupError(name)

    with pytest.raises(LookupError):
        publish(settings, AS_OF, TABLES, fill=fill)
    assert_whole(settings, 1)


def test_a_number_never_comes_again(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    publish(settings, AS_OF, TABLES)
    for path in settings.snapshots.glob("*.duckdb"):
        path.unlink()
    assert Path(publish(settings, AS_OF, TABLES).snapshot_path).name == "snap-000003.duckdb"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"snapshot": 1}', '{"snapshot": "snap-000001.duckdb"}']
)
def test_a_damaged_pointer_is_told_and_mended(settings: Settings, text: str) -> None:
    publish(settings, AS_OF, TABLES)
    (settings.snapshots / "current.json").write_text(text)
    with pytest.raises(GraceError, match="can't be read"):
        current(settings)
    publish(settings, AS_OF, TABLES)
    assert_whole(settings, 1)


# --- what goes wrong


@pytest.mark.parametrize(
    "words",
    [
        "fill = die", "publishing.flush = die", "publishing._finish = die", "publishing._point_to = die",
        "publishing._drop_old = die", "publishing.os.fsync = die", "publishing.Path.replace = die",
    ],
)  # fmt: skip
def test_a_killed_publisher_leaves_a_whole_snapshot(settings: Settings, words: str) -> None:
    publish(settings, AS_OF, TABLES)
    build(settings, 2)
    before = set(files(settings))
    killed = run(settings, PUBLISH.format(words=words, tables=TABLES))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert set(files(settings)) > before, "it was killed too early to prove anything"
    published = current(settings)
    assert published is not None
    swapped = words == "publishing._drop_old = die"
    assert {row[0] for row in look(published, "select number from fact_thing")} == {1 + swapped}
    used = {publishing.numbered(path) for path in settings.snapshots.glob("*.duckdb")}
    build(settings, 3)
    assert publishing.numbered(Path(publish(settings, AS_OF, TABLES).snapshot_path)) > max(used)
    assert_whole(settings, 3)


@pytest.mark.parametrize("room", [3_000_000, 1_500_000, 1000])
def test_no_room_leaves_the_former_snapshot(settings: Settings, room: int) -> None:
    import resource

    publish(settings, AS_OF, TABLES)
    build(settings, 2, 300_000)
    before = files(settings)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = run(settings, PUBLISH.format(words="", tables=TABLES), limits=limit)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert "former snapshot is still served" in done.stderr
    assert [name for name in files(settings) if name not in before] in (
        [],
        ["history-000002.duckdb"],
    )
    assert_whole(settings, 1)


def test_a_folder_that_may_not_be_written(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    settings.snapshots.chmod(0o555)
    try:
        done = run(settings, PUBLISH.format(words="", tables=TABLES), prefix=without_rights())
    finally:
        settings.snapshots.chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert_whole(settings, 1)


def test_a_draft_that_lost_rows_is_not_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that says yes and keeps something else."""
    publish(settings, AS_OF, TABLES)
    flush = publishing.flush

    def lose(path: Path) -> None:
        flush(path)
        if path.name == "snap-000002.draft":
            path.unlink()
            with duckdb.connect(path) as connection:
                connection.execute(
                    "create table dim_thing as select 1 as number; create table fact_thing as from dim_thing"
                )

    monkeypatch.setattr(publishing, "flush", lose)
    with pytest.raises(GraceError, match="does not hold what was written"):
        publish(settings, AS_OF, TABLES)
    assert_whole(settings, 1)


def test_a_name_that_may_be_lost_again_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pointer is swapped, and the disk does not take the directory: the former is not what is served."""
    publish(settings, AS_OF, TABLES)
    build(settings, 2)
    flush = publishing.flush

    def refuse(path: Path) -> None:
        flush(path)
        pointer = (settings.snapshots / "current.json").read_text()
        if path == settings.snapshots and "snap-000002" in pointer:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(publishing, "flush", refuse)
    with pytest.raises(
        GraceError, match=r"^The new snapshot is served, but .*: Input/output error"
    ):
        publish(settings, AS_OF, TABLES)
    assert_whole(settings, 2)


def test_a_table_that_the_build_does_not_have(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    with pytest.raises(GraceError, match="nothing_such"):
        publish(settings, AS_OF, [*TABLES, "nothing_such"])
    assert_whole(settings, 1)


# --- a damaged build


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite_the_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(4096))


def zero_a_block(path: Path) -> None:
    """The block that holds rows of the fact; behind the headers, blocks of 256 KiB lie one after another."""
    with duckdb.connect(path, read_only=True) as connection:
        [(block,)] = connection.execute(
            "select min(block_id) from pragma_storage_info('fact_thing') where block_id >= 0"
        ).fetchall()
    with path.open("r+b") as file:
        file.seek(3 * 4096 + block * 262_144)
        file.write(bytes(262_144))


@pytest.mark.parametrize("harm", [truncate, overwrite_the_head, zero_a_block])
def test_a_damaged_build_gives_way_to_the_published_history(
    settings: Settings, harm: Callable[[Path], None]
) -> None:
    publish(settings, AS_OF, TABLES)
    build(settings, 2)
    publish(settings, AS_OF, TABLES)
    assert damage_of(settings.build_file) is None
    build(settings, 3)  # not published: its history is lost with it
    harm(settings.build_file)
    assert damage_of(settings.build_file)
    with pytest.raises(GraceError, match="could not be written"):
        publish(settings, AS_OF, TABLES)
    assert_whole(settings, 2)

    with pytest.raises(GraceError, match="still there"):
        restore_history(settings)
    damaged = settings.build_file.read_bytes()
    aside = set_aside_build(settings)
    assert (aside.read_bytes(), settings.build_file.exists()) == (damaged, False)
    assert restore_history(settings) == "history-000002.duckdb"
    with duckdb.connect(settings.build_file) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall()
        rows = connection.execute(
            "select id, number from snapshots.snap_things order by id"
        ).fetchall()
        connection.execute("insert into snapshots.snap_things values (500, 2)")
    assert tables == [("snapshots", "snap_things")]
    assert rows == [(number, 2) for number in range(500)]


def test_the_newest_history_that_can_be_read_is_taken(settings: Settings) -> None:
    for number in (1, 2, 3):
        build(settings, number)
        publish(settings, AS_OF, TABLES)
    for number, harm in ((3, truncate), (2, overwrite_the_head)):
        path = publishing.history_file(settings.snapshots, number)
        path.chmod(0o600)
        harm(path)
    set_aside_build(settings)
    assert restore_history(settings) == "history-000001.duckdb"


def test_without_any_history_there_is_nothing_to_restore(settings: Settings) -> None:
    log = settings.home / "build.duckdb.wal"
    log.write_bytes(b"of another build")
    aside = set_aside_build(settings)
    assert aside.with_name(f"{aside.name}.wal").read_bytes() == b"of another build"
    log.write_bytes(b"of another build")
    assert restore_history(settings) is None
    assert not settings.build_file.exists()
    assert not log.exists(), "it would be applied to the next build"


def test_the_newest_damaged_build_is_kept(settings: Settings) -> None:
    first = set_aside_build(settings)
    build(settings, 2)
    second = set_aside_build(settings)
    assert list(settings.home.glob("build.*")) == [second]
    assert first != second


# --- readers


def test_old_snapshots_go_unless_they_are_read(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    with grace_dbt.open_snapshot(settings.home) as snapshot:
        for number in range(2, 7):
            build(settings, number)
            publish(settings, AS_OF, TABLES)
        assert snapshot.query("select distinct number from fact_thing").fetchall() == [(1,)]
        kept = [1, 4, 5, 6]
        assert files(settings) == sorted(
            ["current.json"]
            + [f"history-{n:06d}.duckdb" for n in kept]
            + [f"snap-{n:06d}.duckdb" for n in kept]
        )
    publish(settings, AS_OF, TABLES)
    assert "snap-000001.duckdb" not in files(settings)
    assert "history-000001.duckdb" not in files(settings)


def test_a_killed_reader_holds_nothing(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    reader = start(settings, HOLD)
    assert reader.stdout and reader.stdout.readline().split()[1] == str(FACTS)
    for _ in range(4):
        publish(settings, AS_OF, TABLES)
    assert "snap-000001.duckdb" in files(settings)
    reader.kill()
    reader.communicate()
    publish(settings, AS_OF, TABLES)
    assert "snap-000001.duckdb" not in files(settings)


def test_a_reader_needs_no_right_to_write(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES)
    settings.home.chmod(0o555)
    settings.snapshots.chmod(0o555)
    (settings.snapshots / "current.json").chmod(0o444)
    try:
        code = HOLD.replace("sys.stdin.read()", "")
        done = run(settings, code, prefix=without_rights())
    finally:
        settings.home.chmod(0o755)
        settings.snapshots.chmod(0o755)
    assert done.stdout.split()[1:] == [str(FACTS)], done.stderr


def test_a_reader_that_comes_too_late_follows_the_pointer_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish(settings, AS_OF, TABLES)
    build(settings, 2)
    for _ in range(3):
        new = publish(settings, AS_OF, TABLES)
    assert not Path(old.snapshot_path).exists()
    told = iter([old, old, new])
    monkeypatch.setattr(reading, "pointed_to", lambda settings: next(told))
    with grace_dbt.open_snapshot(settings.home) as snapshot:
        assert snapshot.number == 4


def test_a_snapshot_that_goes_before_it_is_held_is_not_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = publish(settings, AS_OF, TABLES)
    build(settings, 2)
    new = publish(settings, AS_OF, TABLES)
    told = iter([old, new])
    monkeypatch.setattr(reading, "pointed_to", lambda settings: next(told))
    flock = fcntl.flock

    def late(handle: int, operation: int) -> None:
        Path(old.snapshot_path).unlink(missing_ok=True)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with grace_dbt.open_snapshot(settings.home) as snapshot:
        assert snapshot.query("select distinct number from fact_thing").fetchall() == [(2,)]


def test_a_snapshot_that_is_gone_for_good(settings: Settings) -> None:
    published = publish(settings, AS_OF, TABLES)
    Path(published.snapshot_path).unlink()
    with pytest.raises(GraceError, match="is gone"), grace_dbt.open_snapshot(settings.home):
        pass


def test_a_thousand_reads_while_fifty_snapshots_are_published(settings: Settings) -> None:
    publish(settings, AS_OF, TABLES, run_id="1")
    readers = [start(settings, READ, "125") for _ in range(4)]
    for number in range(2, 51):
        build(settings, number)
        publish(settings, AS_OF, TABLES, run_id=str(number))
        time.sleep(0.05)
    lines = []
    for reader in readers:
        output, errors = reader.communicate(timeout=120)
        assert reader.returncode == 0, errors
        lines += output.splitlines()
    assert len(lines) == 1000
    for line in lines:
        number, *seen = map(int, line.split())
        assert seen in ([number, number, number, rows, rows] for rows in (3, FACTS))
    assert len({line.split()[0] for line in lines}) >= 10, "the reads did not meet the publications"
    publish(settings, AS_OF, TABLES)
    assert len(list(settings.snapshots.glob("snap-*.duckdb"))) == 3
    assert (
        json.loads((settings.snapshots / "current.json").read_text())["snapshot"]
        == "snap-000051.duckdb"
    )
