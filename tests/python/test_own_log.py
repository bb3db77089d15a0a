"""The log of what operators did: written by every command that changes something, chained, and in nobody's way."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import SERVERS, GraceCli, Plan, environment
from places import Place
from servers import PASSWORD

from grace_dbt.audit.own_log import chosen_place, log_own, own_file
from grace_dbt.errors import GraceError
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import Settings

ME = f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
FIELDS = "sequence actor action resource payload result previous_hash"

NewPlace = Callable[[str], Place]


def entries(path: Path) -> list[dict[str, Any]]:
    """The entries of an immutable log, which is one intact chain by its published format."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("select * from immutable_log order by 2")]
    previous = "0" * 64
    for number, row in enumerate(rows, 1):
        assert (row["sequence"], row["previous_hash"]) == (number, previous)
        words = ":".join(str(row[field]) for field in FIELDS.split())
        assert row["entry_hash"] == hashlib.sha256(words.encode()).hexdigest()
        previous = row["entry_hash"]
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times)
    return rows


def settings(home: Path) -> Settings:
    return Settings(home, OperationalUrl.parse(f"sqlite:///{home / 'operational.sqlite'}"))


def note(home: Path, **payload: object) -> object:
    return log_own(settings(home), "test.noted", "a resource", payload, "noted")


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRACE_AUDIT_LOG", raising=False)


# --- the file


def test_the_table_is_the_one_that_is_declared(tmp_path: Path, ddl_plan: dict[str, Plan]) -> None:
    note(tmp_path)
    with closing(sqlite3.connect(tmp_path / "audit.sqlite")) as connection:
        found = connection.execute("select type, name, sql from sqlite_master order by 1, 2")
        own = found.fetchall()
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in ddl_plan["sqlite"]:
            if step["table"] == "immutable_log":
                connection.execute(step["sql"])
        found = connection.execute("select type, name, sql from sqlite_master order by 1, 2")
        assert own == found.fetchall()


def test_an_entry_says_who_did_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody else")
    monkeypatch.setenv("LOGNAME", "somebody else")
    home = tmp_path / "not" / "yet"
    note(home, b=1, a="ä")
    note(home)
    first, second = entries(own_file(settings(home)))
    assert (first["actor"], first["action"], first["resource"]) == (ME, "test.noted", "a resource")
    assert (first["payload"], first["result"], first["subsystem"]) == (
        '{"a": "\\u00e4", "b": 1}', "noted", "grace-dbt",
    )  # fmt: skip
    assert second["payload"] == "{}"


def test_an_entry_is_never_changed(tmp_path: Path) -> None:
    note(tmp_path)
    with closing(sqlite3.connect(tmp_path / "audit.sqlite")) as connection:
        for sql in (
            "update immutable_log set result = 'x'",
            "delete from immutable_log",
            "replace into immutable_log select * from immutable_log",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(sql)


def test_many_processes_begin_and_continue_one_log(tmp_path: Path) -> None:
    code = (
        "import sys; from grace_dbt.audit.own_log import log_own; from grace_dbt.settings import Settings\n"
        "for n in range(20): log_own(Settings.load(), 'test', sys.argv[1], {'n': n}, 'done')"
    )
    home = tmp_path / "home"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)],
            env=environment(home),
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    rows = entries(home / "audit.sqlite")
    assert len(rows) == 80
    for number in range(4):
        mine = [row["payload"] for row in rows if row["resource"] == str(number)]
        assert mine == [f'{{"n": {n}}}' for n in range(20)]


def test_it_takes_milliseconds_and_no_dbt(tmp_path: Path) -> None:
    code = (
        "import sys, time; import grace_dbt.refresh; from grace_dbt.audit.own_log import log_own\n"
        "from grace_dbt.settings import Settings; s = Settings.load(); log_own(s, 'a', 'b', {}, 'c')\n"
        "before = time.process_time(); [log_own(s, 'a', 'b', {}, 'c') for _ in range(20)]\n"
        "print((time.process_time() - before) / 20, 'dbt' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, has_dbt = done.stdout.split()
    assert has_dbt == "False"
    # Of processor time: how long the disk takes is not ours.
    assert float(seconds) < 0.01


# --- what stands in its way


def test_a_log_that_cannot_be_written_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.sqlite").mkdir()
    assert note(tmp_path) is None
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Warning: this command is not in the audit log: ")
    assert f"{tmp_path}/audit.sqlite is a directory" in line
    (tmp_path / "audit.sqlite").rmdir()
    (tmp_path / "audit.sqlite").write_bytes(b"no database at all")
    assert note(tmp_path) is None
    assert "Restore it from a backup" in capsys.readouterr().err
    (tmp_path / "audit.sqlite").unlink()
    assert log_own(settings(tmp_path), "a", "b", {"x": object()}, "c") is None
    assert "not what JSON can say" in capsys.readouterr().err
    assert note(tmp_path) is not None


def test_a_protected_home_fails_no_command(grace_cli: GraceCli, tmp_path: Path) -> None:
    home = grace_cli.home
    home.chmod(0o555)
    try:
        done = grace_cli.run("init", "--db", f"sqlite:///{tmp_path}/new.sqlite", rights=False)
    finally:
        home.chmod(0o755)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert "Set GRACE_HOME to a directory that you may write." in warnings[0]
    with closing(sqlite3.connect(tmp_path / "new.sqlite")) as connection:
        assert connection.execute("select count(*) from audit_logs").fetchone() == (0,)


# --- where it goes


@pytest.mark.parametrize(
    ("value", "place"), [("", "own"), ("own", "own"), ("operational", "operational")]
)
def test_places(value: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRACE_AUDIT_LOG", value)
    assert chosen_place() == place


def test_another_place_is_refused_before_anything_is_done(grace_cli: GraceCli) -> None:
    done = grace_cli.run("init", GRACE_AUDIT_LOG="elsewhere")
    assert done.returncode == 2
    assert "'elsewhere' is no place for the audit log." in done.stderr
    assert "GRACE_AUDIT_LOG" in done.stderr
    assert not (grace_cli.home / "operational.sqlite").exists()
    with pytest.MonkeyPatch.context() as patched, pytest.raises(GraceError) as caught:
        patched.setenv("GRACE_AUDIT_LOG", "elsewhere")
        note(grace_cli.home)
    assert caught.value.exit_code == 2


def test_it_goes_into_the_operational_log_where_that_is_wanted(grace_cli: GraceCli) -> None:
    done = grace_cli.run("init", GRACE_AUDIT_LOG="operational")
    assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr
    [entry] = entries(grace_cli.home / "operational.sqlite")
    assert (entry["action"], entry["actor"], entry["subsystem"]) == ("init", ME, "grace-dbt")
    assert not (grace_cli.home / "audit.sqlite").exists()


def test_what_the_operational_log_does_not_take_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRACE_AUDIT_LOG", "operational")
    assert note(tmp_path)
    assert len(entries(tmp_path / "audit.sqlite")) == 1
    said = capsys.readouterr().err
    assert said.startswith("Warning: the operational database took no entry of this command: ")
    assert "grace-dbt init" in said


# --- the commands


def test_commands_log_what_they_changed_and_nothing_else(
    grace_cli: GraceCli, templates: Path
) -> None:
    own = grace_cli.home / "audit.sqlite"
    database = grace_cli.home / "operational.sqlite"
    url = f"sqlite:///{database}"
    assert grace_cli.run("init", "--dry-run").returncode == 0
    assert not own.exists()
    for command in (
        ("init",),
        ("init",),
        ("simulate", "--days", "3", "--contracts", "20", "--json"),
        ("simulate", "--live", "--rows", "20", "--rate", "1000"),
        ("audit", "append", "--category", "note", "--data", '{"secret": "of the entry"}'),
        ("refresh", "--json"),
        ("refresh",),
        ("status",),
    ):
        done = grace_cli.run(*command)
        assert done.returncode == 0, done.stderr
        if command == ("refresh", "--json"):
            report = json.loads(done.stdout)
    made, simulated, live, appended, refreshed = entries(own)
    assert (made["action"], made["resource"], made["result"]) == ("init", url, "created")
    assert json.loads(made["payload"])["created"]["table"] == 96
    assert (simulated["action"], simulated["resource"]) == ("simulate", url)
    told = json.loads(simulated["payload"])
    assert (told["days"], told["contracts"]) == (3, 20)
    assert (live["action"], json.loads(live["payload"])["rows"]) == ("simulate.live", 20)
    assert (appended["action"], appended["resource"]) == ("audit.append", url)
    assert json.loads(appended["payload"])["entry_id"].startswith("note_")
    assert "of the entry" not in appended["payload"]
    assert (refreshed["action"], refreshed["result"]) == ("refresh", "published")
    assert json.loads(refreshed["payload"]) == {
        "run_id": report["run_id"],
        "mode": report["mode"],
        "snapshot": report["snapshot"]["snapshot_path"],
    }


def test_a_refresh_does_not_write_to_the_database_that_it_reads(
    grace_cli: GraceCli, templates: Path
) -> None:
    """An entry there would be a change, which the next refresh would publish, and so on for ever."""
    database = grace_cli.home / "operational.sqlite"
    shutil.copy(templates / "fresh.sqlite", database)
    before = hashlib.sha256(database.read_bytes()).digest()
    done = grace_cli.run("refresh", GRACE_AUDIT_LOG="operational")
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(database.read_bytes()).digest() == before
    assert [entry["action"] for entry in entries(grace_cli.home / "audit.sqlite")] == ["refresh"]


@pytest.mark.parametrize("dialect", SERVERS)
def test_a_password_is_not_logged(dialect: str, grace_cli: GraceCli, fresh_place: NewPlace) -> None:
    place = fresh_place(dialect)
    command = ("audit", "append", "--db", place.url, "--category", "c", "--data", "{}")
    done = grace_cli.run(*command)
    assert done.returncode == 0, done.stderr
    file = grace_cli.home / "audit.sqlite"
    [entry] = entries(file)
    assert entry["resource"] == place.shown
    for secret in (PASSWORD, place.url.split("@")[0].rpartition(":")[2]):
        assert secret.encode() not in file.read_bytes()
        assert secret not in done.stdout + done.stderr


def test_a_second_command_waits_for_the_first(tmp_path: Path) -> None:
    note(tmp_path)
    with closing(sqlite3.connect(tmp_path / "audit.sqlite", isolation_level=None)) as other:
        other.execute("begin immediate")
        code = (
            "from grace_dbt.audit.own_log import log_own; from grace_dbt.settings import Settings\n"
            "log_own(Settings.load(), 'second', 'b', {}, 'c')"
        )
        second = subprocess.Popen([sys.executable, "-c", code], env=environment(tmp_path))
        time.sleep(0.5)
        assert second.poll() is None
        other.execute("rollback")
    assert second.wait(timeout=60) == 0
    assert [row["action"] for row in entries(tmp_path / "audit.sqlite")] == ["test.noted", "second"]
