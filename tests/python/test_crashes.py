"""Refreshes that are killed, starved and damaged: what is published stays whole, and the next one makes all good.

Looked at from outside: processes are started and killed, and files are opened as any other program would.
`make soak-kills` kills more often, and again at the same moments: KILLS, SEED.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from conftest import GraceCli, prepare, untested
from crash_harness import Grace, Installation, Process
from warm_process import Channel, Warm

SEED = int(os.environ.get("KILLS_SEED") or 20251122)
KILLS = int(os.environ.get("KILLS") or 20)


@pytest.fixture(scope="module")
def first_day(
    templates: Path, planned_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation after its first refresh, and the process that the others come from."""
    folder = tmp_path_factory.mktemp("crashes")
    shutil.copy(templates / "fresh.sqlite", folder / "operational.sqlite")
    prepare(folder / "home", planned_home)
    warm = Warm(folder / "home", folder / "operational.sqlite")
    try:
        made = Installation(folder, warm)
        Grace(made.database, SEED)
        made.refresh()
        # What every refresh would keep of its dbt run, and what is not looked at here.
        shutil.rmtree(made.home / "logs")
        yield made
    finally:
        warm.close()


@pytest.fixture
def installation(first_day: Installation, tmp_path: Path) -> Installation:
    """A copy of it; the copy stands in another folder, to which nothing in it refers."""
    return copy_of(first_day, tmp_path)


def copy_of(installation: Installation, folder: Path) -> Installation:
    """The same in another folder; what the home knows of its database is the same as well, but for the folder."""
    made = Installation(folder, installation.warm)
    shutil.copytree(installation.home, made.home)
    shutil.copy2(installation.database, made.database)
    state = made.home / "build.json"
    state.write_text(state.read_text().replace(str(installation.folder), str(folder)))
    made.seen = dict(installation.seen)
    return made


@pytest.fixture
def grace(installation: Installation) -> Grace:
    return Grace(installation.database, SEED, begun=True)


# Killed at any moment.


class AtTheDoor:
    """A refresh that has built the cube and is about to publish it: it can publish again and again."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        home = installation.home
        self.channel = Channel(installation.folder / "door.socket")
        self.process = installation.start(
            "refresh", pause=str(home / "snapshots"), channel=str(self.channel.path)
        )
        self.channel.meet()
        self.saved = Path(shutil.copytree(home, installation.folder / "at-the-door"))
        self.seen = dict(installation.seen)

    def publish(self, **order: Any) -> Process:
        """Begin to publish, in a process of its own; the home is as it was when the cube was built."""
        self.restore()
        return self.go_on(**order)

    def restore(self) -> None:
        empty(self.installation.home)
        shutil.copytree(self.saved, self.installation.home, dirs_exist_ok=True)
        self.installation.seen = dict(self.seen)

    def go_on(self, **order: Any) -> Process:
        """Publish, in a process of its own."""
        for path in (self.process.path, Path(f"{self.process.path}.err")):
            os.truncate(path, 0)
        pid = self.channel.order(do="fork", **order)["pid"]
        return Process(self.channel, pid, self.process.path)

    def leave(self) -> None:
        """End the refresh that waits."""
        self.process.kill()
        self.channel.close()


def empty(folder: Path) -> None:
    """Remove what is in a folder, and not the folder, which may be a disk."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.fixture
def door(installation: Installation, grace: Grace) -> Iterator[AtTheDoor]:
    grace.touch()
    found = AtTheDoor(installation)
    try:
        yield found
    finally:
        found.leave()


def begin_another(installation: Installation) -> None:
    """The next refresh begins, and says what became of the one before; then it is killed as well."""
    process = installation.start("refresh", "--json")
    process.reached("Building the cube")
    process.kill()


def test_killed_while_it_publishes(door: AtTheDoor) -> None:
    installation, chance = door.installation, Random(SEED)
    trace = installation.folder / "trace"
    began = time.monotonic()
    assert door.publish(trace=str(trace)).wait() == 0, door.process.errors
    lasted = time.monotonic() - began
    operations = trace.read_text().splitlines()
    swap = 1 + next(
        i for i, o in enumerate(operations) if o.startswith("os.rename") and "current.json" in o
    )
    # Around the swap always, elsewhere as chance has it: before an operation of Python, or in the midst of DuckDB's.
    kills: list[tuple[dict[str, Any], float]] = [({"at": swap}, 0.0), ({"at": swap + 1}, 0.0)]
    kills += [({"at": swap + 1, "signal": int(signal.SIGTERM)}, 0.0)]
    while len(kills) < KILLS * 3 // 5:
        how = chance.choice(("at", "at", "after", "asked"))
        if how == "after":
            kills.append(({}, chance.uniform(0, lasted)))
        else:
            order = {"at": chance.randint(1, len(operations))}
            kills.append((order | ({"signal": int(signal.SIGTERM)} if how == "asked" else {}), 0.0))
    killed = 0
    for order, after in kills:
        process = door.publish(**order)
        if not order:
            time.sleep(after)
            code = process.kill()
        else:
            code = process.wait()
        where = f"{order or after} of seed {SEED}: {door.process.errors}"
        assert code in (-signal.SIGKILL, 0, 130), where
        killed += code != 0
        try:
            former = set(installation.seen)
            installation.look()
            installation.assert_no_run_lies(killed=True)
            begin_another(installation)
            installation.look()
            installation.assert_no_run_lies(killed=True)
            assert former <= set(installation.seen)
        except AssertionError as error:
            raise AssertionError(where) from error
    assert killed >= len(kills) // 2
    versions = installation.versions()
    installation.refresh()
    installation.assert_converged(*versions)
    installation.assert_no_run_lies()


def test_killed_while_dbt_runs(installation: Installation, grace: Grace) -> None:
    """One after another with no peace in between, and then one that is left alone."""
    chance = Random(SEED)
    kills = KILLS * 2 // 5
    shares = [(n + chance.random()) / kills for n in range(kills)]
    chance.shuffle(shares)
    versions: list[tuple[Any, ...]] = []
    killed = 0
    for share in shares:
        grace.go_on()
        process = installation.start("refresh", "--json")
        code = killed_at(process, share)
        assert code in (-signal.SIGKILL, 0), process.errors
        killed += code != 0
        try:
            installation.look()
            installation.assert_no_run_lies(killed=True)
            assert {v[:4] for v in versions} <= {v[:4] for v in installation.versions()}
        except AssertionError as error:
            raise AssertionError(f"killed at {share} of seed {SEED}") from error
        versions = installation.versions()
    assert killed >= kills // 2
    grace.go_on()
    report = installation.refresh()
    assert not report["warnings"], "nothing had to be begun anew"
    installation.assert_converged(*versions)
    installation.assert_no_run_lies()


def killed_at(process: Process, share: float) -> int:
    """Kill a refresh when such a share of the nodes of dbt is done; what it ended with."""
    wait_for_dbt(process, share)
    return process.kill()


def wait_for_dbt(process: Process, share: float) -> None:
    """Wait until dbt has begun, and such a share of its nodes is done; or the process is over."""
    log = process.home / "logs" / "dbt.log"
    start = log.stat().st_size if log.exists() else 0
    while not process.is_over():
        if log.exists():
            with log.open("rb") as file:
                file.seek(start)
                text = file.read()
            places = [line for line in text.split(b"\n") if b" of " in line]
            if places:
                words = places[-1].split()
                done, total = (int(words[words.index(b"of") + step]) for step in (-1, 1))
                if done >= share * total:
                    break
        time.sleep(0.002)


# Nothing to write on.


class SmallDisk:
    """A disk for the home with as much room as a test likes; without the right to mount one, files stay small."""

    def __init__(self, home: Path) -> None:
        self.home, self.mounted = home, False

    def leave(self, room: int, file_size: int) -> dict[str, int]:
        """Leave so many bytes of room; what has to be ordered of a process."""
        used = sum(path.stat().st_blocks * 512 for path in self.home.rglob("*"))
        options = f"size={used + room}"
        if self.mounted:
            self._mount("remount," + options)
            return {}
        aside = self.home.with_name("aside-of-disk")
        shutil.copytree(self.home, aside)
        if not self._mount(options):
            return {"file_size": file_size}
        shutil.copytree(aside, self.home, dirs_exist_ok=True)
        self.mounted = True
        return {}

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.home)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.home)], check=True)


@pytest.fixture
def small_disk(installation: Installation) -> Iterator[SmallDisk]:
    disk = SmallDisk(installation.home)
    yield disk
    disk.remove()


FULL = ("No space left on device", "File too large")
PLENTY = 200_000_000


def assert_two_lines(errors: str, *words: str) -> None:
    """What a person is told of a failure: what, and what to do; any of the words is in it."""
    lines = [line for line in errors.strip().splitlines() if not line.endswith(" ...")]
    lines = [
        line for line in lines if not line.startswith("Warning: what was told could not be kept")
    ]
    assert len(lines) == 2, errors
    assert lines[0].startswith("Error: ")
    assert not words or any(word in errors for word in words), errors


def test_full_disk_while_dbt_runs(
    installation: Installation, grace: Grace, small_disk: SmallDisk
) -> None:
    grace.go_on()
    build = (installation.home / "build.duckdb").stat().st_size
    order = small_disk.leave(600_000, build + 600_000)
    done = installation.run("refresh", **order)
    assert done.code == 3, done.errors
    assert_two_lines(done.errors, *FULL)
    installation.look()
    installation.assert_no_run_lies(killed=True)
    versions = installation.versions()

    small_disk.leave(PLENTY, PLENTY)
    installation.refresh()
    installation.assert_converged(*versions)
    installation.assert_no_run_lies()


def test_full_disk_while_it_publishes(door: AtTheDoor, small_disk: SmallDisk) -> None:
    installation, former = door.installation, door.installation.pointer
    snapshots = installation.home / "snapshots"
    small_disk.leave(PLENTY, PLENTY)
    assert door.publish().wait() == 0, door.process.errors
    history, snapshot = (
        (snapshots / f"{kind}-000002.duckdb").stat().st_size for kind in ("history", "snap")
    )
    for room, file_size in (
        (history // 2, history // 2),
        (history + snapshot // 2, snapshot // 2),
        (history + snapshot - 100_000, snapshot - 1),
    ):
        small_disk.leave(PLENTY, PLENTY)
        door.restore()
        process = door.go_on(**small_disk.leave(room, file_size))
        assert process.wait() == 3, (room, door.process.errors)
        assert_two_lines(door.process.errors, *FULL)
        assert installation.pointer == former
        assert not list(snapshots.glob("*.draft*"))
        installation.look()
        installation.assert_no_run_lies(killed=True)
        small_disk.leave(PLENTY, PLENTY)
        begin_another(installation)
        installation.assert_no_run_lies(killed=True)


def test_full_disk_after_it_published(door: AtTheDoor, small_disk: SmallDisk) -> None:
    """The snapshot is there; what only the next run would like to know is not."""
    installation = door.installation
    small_disk.leave(PLENTY, PLENTY)
    door.restore()
    channel = Channel(installation.folder / "later.socket")
    draft = str(installation.home / "build.json.draft")
    process = door.go_on(pause=draft, channel=str(channel.path))
    channel.meet()
    order = small_disk.leave(PLENTY, 8192)
    if not order:
        with suppress(OSError), (installation.home / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 4096)
    last = Process(channel, channel.order(do="fork", **order)["pid"], process.path)
    assert last.wait() == 0, door.process.errors
    channel.close()
    assert "could not be kept for the next one" in door.process.errors
    assert installation.look()["snapshot"] == "snap-000002.duckdb"
    (installation.home / "ballast").unlink(missing_ok=True)
    begin_another(installation)
    installation.assert_no_run_lies(killed=True)


@pytest.mark.parametrize("owner", ["me", "somebody else"])
def test_home_that_can_not_be_written(installation: Installation, grace: Grace, owner: str) -> None:
    grace.touch()
    home, places = installation.home, [installation.home, *installation.home.rglob("*")]
    if owner == "me":
        for path in places:
            path.chmod(path.stat().st_mode & ~0o222)
    elif os.geteuid() == 0:
        for path in places:
            os.chown(path, 65534, 65534)
    else:
        untested("only root can give a file away")
    cli = GraceCli(home)
    url = installation.variables["GRACE_OPERATIONAL_URL"]
    done = cli.run("refresh", rights=False, GRACE_OPERATIONAL_URL=url)
    assert done.returncode == 3, done.stderr
    assert_two_lines(done.stderr, str(home))
    # What is published is there for everybody who may read it.
    installation.look()
    for command in (("status",), ("query", "select count(*) from fact_verification_executions")):
        done = cli.run(*command, rights=False, GRACE_OPERATIONAL_URL=url)
        assert done.returncode == 0, done.stderr


# No operational database.


def test_locked_and_vanished_database(installation: Installation, grace: Grace) -> None:
    grace.touch()
    with closing(sqlite3.connect(installation.database, isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        locked = installation.run("refresh", patience=0.5)
    assert locked.code == 3, locked.errors
    assert_two_lines(locked.errors, "locked")
    away = installation.database.rename(installation.folder / "away.sqlite")
    vanished = installation.run("refresh")
    assert vanished.code == 3, vanished.errors
    assert_two_lines(vanished.errors, str(installation.database))
    assert not installation.database.exists(), "nothing is made where nothing was"
    runs = installation.runs()[:2]
    assert [run["status"] for run in runs] == ["failed", "failed"]
    assert "locked" in runs[1]["error_message"]
    assert str(installation.database) in runs[0]["error_message"]
    installation.look()
    installation.assert_no_run_lies()
    away.rename(installation.database)
    installation.refresh()
    installation.assert_converged()


# A clock that goes back.


def test_clock_goes_back(installation: Installation, grace: Grace) -> None:
    """A refresh of tomorrow, and then one of today: what was recorded stays in order, and every row is in the cube."""
    grace.go_on()
    ahead = installation.run("refresh", "--json", ahead=86_400.0)
    assert ahead.code == 0, ahead.errors
    tomorrow = installation.look()
    assert tomorrow["run_id"] > f"{datetime.now(UTC) + timedelta(hours=23):%Y%m%dT%H%M%S}"
    versions = installation.versions()
    grace.go_on()
    installation.refresh()
    assert installation.pointer["run_id"] > tomorrow["run_id"]
    assert installation.versions() != versions
    installation.assert_converged(*versions)
    installation.assert_no_run_lies()


# Several at once.


def test_only_one_at_a_time(installation: Installation, grace: Grace) -> None:
    grace.touch()
    cli, others = GraceCli(installation.home), 4
    url = installation.variables["GRACE_OPERATIONAL_URL"]
    channel = Channel(installation.folder / "holder.socket")
    state = str(installation.home / "build.json")
    holder = installation.start("refresh", pause=state, channel=str(channel.path))
    channel.meet()
    turned_away = [cli.start("refresh", "--db", url) for _ in range(others)]
    for process in turned_away:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 3, errors
        assert_two_lines(errors, f"process {holder.pid}, refresh, for ")
    assert len(installation.runs()) == 1, "who was turned away has done nothing"
    # The dead one's lock is taken over, by exactly one of those that ask at once.
    holder.kill()
    channel.close()
    before = set(installation.seen)
    at_once = [installation.start("refresh") for _ in range(others)]
    codes = [asked.wait() for asked in at_once]
    assert sorted(set(codes)) in ([0], [0, 3]), [asked.errors for asked in at_once]
    for asked in at_once:
        if asked.code == 3:
            assert_two_lines(asked.errors, "Another grace-dbt is at work here: ")
    installation.look()
    assert len(set(installation.seen) - before) == 1
    assert [run["status"] for run in installation.runs()].count("succeeded") == 2
    installation.assert_no_run_lies()


# Damaged by hand.


def truncated(build: Path) -> None:
    os.truncate(build, build.stat().st_size // 2)


def beheaded(build: Path) -> None:
    with build.open("r+b") as file:
        file.write(os.urandom(4096))


def with_a_hole(build: Path) -> None:
    with build.open("r+b") as file:
        file.seek(build.stat().st_size // 2)
        file.write(bytes(262_144))


def with_a_strange_log(build: Path) -> None:
    other = build.with_name("other.duckdb")
    connection = duckdb.connect(str(other))
    connection.execute("create table strange as select 1 as number")
    connection.execute("checkpoint")
    connection.execute("insert into strange values (2)")
    shutil.copy(f"{other}.wal", f"{build}.wal")
    connection.close()
    other.unlink()


def by_sql(*statements: str) -> Callable[[Path], None]:
    def change(build: Path) -> None:
        with duckdb.connect(str(build)) as connection:
            for sql in statements:
                connection.execute(sql)

    return change


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": truncated,
    "beheaded": beheaded,
    "with a hole": with_a_hole,
    "with a strange log": with_a_strange_log,
    "a table dropped": by_sql("drop table fact_verification_executions"),
    "landing changed": by_sql("update landing.land_action_contracts set status = 'failed'"),
    "landing emptied": by_sql("delete from landing.land_mission_timelines"),
    "a fact changed": by_sql("update fact_verification_executions set confidence_score = 2"),
    "a dimension emptied": by_sql("delete from dim_mission"),
    "history changed": by_sql("update snapshots.snap_missions set mission_name = 'Nobody'"),
    "history emptied": by_sql("delete from snapshots.snap_missions"),
}


def test_damaged_build_file(installation: Installation, grace: Grace, tmp_path: Path) -> None:
    """Whatever was done to it, the next refresh begins with the history that was published, and nothing else."""
    grace.go_on()
    installation.refresh()
    versions = installation.versions()
    for number, (name, damage) in enumerate(DAMAGES.items()):
        folder = tmp_path / f"damaged-{number}"
        folder.mkdir()
        damaged = copy_of(installation, folder)
        damage(damaged.home / "build.duckdb")
        process = damaged.start("refresh")
        process.reached("Building the cube")
        process.kill()
        assert list(damaged.home.glob("build.damaged-*.duckdb")), name
        assert damaged.versions() == versions, name
        damaged.look()
        damaged.assert_no_run_lies(killed=True)
        if name != list(DAMAGES)[-1]:
            shutil.rmtree(folder)
    Grace(damaged.database, SEED + 1, begun=True).touch()
    damaged.refresh()
    damaged.assert_converged(*versions)
    damaged.assert_no_run_lies()


def test_damaged_records(installation: Installation, grace: Grace) -> None:
    """All that is kept beside the build and the snapshots is garbage, and then it is gone."""
    home, versions = installation.home, installation.versions()
    grace.go_on()
    for name in ("build.json", "runs.sqlite", "lock.json", "notices.json", "build.project"):
        (home / name).write_bytes(b"garbage " * 2000)
    (home / "snapshots" / "current.json").write_text('{"snapshot": "snap-000007.duckdb"}')
    done = installation.run("refresh")
    assert done.code == 0, done.errors
    assert "runs.damaged" in done.errors
    installation.look()
    installation.seen = {
        run: name
        for run, name in installation.seen.items()
        if name == installation.pointer["snapshot"]
    }
    installation.assert_no_run_lies()
    installation.assert_converged(*versions)

    for name in ("build.json", "runs.sqlite", "lock.json", "lock", "build.project"):
        (home / name).unlink()
    versions = installation.versions()
    begin_another(installation)
    installation.assert_no_run_lies(killed=True)
    shutil.rmtree(home / "snapshots")
    installation.seen = {}
    grace.go_on()
    installation.refresh()
    installation.assert_converged(*versions)


# One that goes on for weeks.


def test_signals_to_one_that_goes_on(installation: Installation, grace: Grace) -> None:
    def begin() -> Process:
        process = installation.start("refresh", "--every", "1s")
        process.reached("Looking for changes every")
        return process

    # In its sleep: at once.
    process = begin()
    deadline = time.monotonic() + 60
    while not (installation.home / "schedule.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait() == 0, process.errors

    # At work: it finishes what it does.
    process = begin()
    grace.touch()
    wait_for_dbt(process, 0.3)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait() == 0, process.errors
    before = len(installation.seen)
    installation.look()
    assert len(installation.seen) == before + 1

    # At work, told twice: it abandons it.
    process = begin()
    grace.touch()
    wait_for_dbt(process, 0.3)
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait() == 130, process.errors
    installation.look()
    assert installation.runs()[0]["status"] == "interrupted"

    # Killed: the next one says so.
    process = begin()
    wait_for_dbt(process, 0.3)
    process.kill()
    assert installation.runs()[0]["status"] == "running"
    begin_another(installation)
    assert [run["status"] for run in installation.runs()[1:3]] == ["interrupted", "interrupted"]
    installation.look()
    installation.assert_no_run_lies(killed=True)
