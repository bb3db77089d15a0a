"""A password that is used, or refused, is found nowhere afterwards; what a server refuses is said in two lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import ROOT, SERVERS, GraceCli, environment
from servers import PASSWORD, Server, free_port, mariadb_server, postgres_server

# The canary, however a program may have spelled it.
TRACES = ("s3cret", PASSWORD, quote(PASSWORD, safe=""))
EACH_SERVER = pytest.mark.parametrize("dialect", SERVERS)


def traces(*texts: str) -> list[str]:
    return [text for text in texts if any(trace in text for trace in TRACES)]


def traces_under(folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [path for trace in TRACES if trace.encode() in content]
    return found


def arguments_of_processes() -> str:
    """The arguments of every process of this machine, as any user may read them."""
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"connected with {PASSWORD}")
    assert traces_under(tmp_path) == [tmp_path / "log"] * 2
    assert traces("fine", f"postgresql://a:{quote(PASSWORD, safe='')}@h/d")


@EACH_SERVER
def test_every_command_keeps_the_password_to_itself(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    database = new_database(dialect)
    commands = (
        ("init",),
        ("simulate", "--contracts", "50", "--days", "5"),
        ("refresh", "--json"),
        ("test",),
        ("health", "--json"),
        *([("docs", "--no-serve")] if dialect == "postgres" else []),
    )
    for command in commands:
        done = grace_cli.run(*command, GRACE_OPERATIONAL_URL=database.url)
        assert done.returncode in (0, 1), done.stderr
        assert not traces(done.stdout, done.stderr), command
    assert not traces_under(grace_cli.home)


@EACH_SERVER
def test_a_bare_dbt_keeps_the_password_to_itself(
    dialect: str, new_database: Callable[[str], Server], tmp_path: Path
) -> None:
    database = new_database(dialect)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--debug", "run", "--select", "dim_tier"),
            *("--target-path", tmp_path / "target", "--log-path", tmp_path / "logs"),
        ],
        cwd=ROOT,
        env=environment(tmp_path, GRACE_OPERATIONAL_URL=database.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Found " in done.stdout, done.stdout
    assert (tmp_path / "target" / "partial_parse.msgpack").exists()
    assert not traces(done.stdout, done.stderr)
    assert not traces_under(tmp_path)


@EACH_SERVER
def test_a_password_on_the_command_line_leaves_it(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    """The process starts itself anew before it does anything that takes time."""
    database = new_database(dialect)
    process = grace_cli.start("init", f"--db={database.url}")
    clean = False
    while process.poll() is None:
        place = f":{database.port}/{database.database}"
        seen = [line for line in arguments_of_processes().splitlines() if place in line]
        clean = clean or any(database.plain_url in line for line in seen)
        assert not (clean and traces(*seen)), "the password came back"
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert clean, "the command was never seen without its password"
    assert not traces(output, errors)
    assert not traces_under(grace_cli.home)


def refused(cli: GraceCli, url: str, *commands: str) -> Iterator[list[str]]:
    """Each command fails with two lines and exit code 3, and leaves no trace of a password."""
    for command in commands:
        done = cli.run(*command.split(), GRACE_OPERATIONAL_URL=url)
        lines = done.stderr.splitlines()
        # A command that shows progress says first what it is about to do.
        told = [line for line in lines if not line.endswith("...")]
        assert done.returncode == 3, (command, done.stdout, done.stderr)
        assert len(told) == 2 and told[0].startswith("Error: "), (command, lines)
        assert not traces(done.stdout, done.stderr)
        assert "another-canary" not in done.stdout + done.stderr
        yield told
    assert not traces_under(cli.home)


READERS = ("init", "refresh", "test", "health", "simulate", "build")


@EACH_SERVER
def test_a_wrong_password(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    database = new_database(dialect)
    wrong = database.url.replace(quote(PASSWORD, safe=""), "another-canary")
    for error, hint in refused(grace_cli, wrong, *READERS):
        assert database.plain_url in error
        assert "password" in error.lower() or "access denied" in error.lower()
        assert "GRACE_OPERATIONAL_PASSWORD" in hint


@EACH_SERVER
def test_nobody_listens(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    database = new_database(dialect)
    nowhere = database.url.replace(f":{database.port}/", f":{free_port()}/")
    for error, _ in refused(grace_cli, nowhere, "init", "refresh", "health"):
        assert "127.0.0.1" in error


@EACH_SERVER
def test_an_unknown_host(
    dialect: str, running: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    database = running(dialect)
    unknown = database.url.replace("127.0.0.1", "no-such-host.invalid") + "grace"
    for error, _ in refused(grace_cli, unknown, "refresh"):
        assert "no-such-host.invalid" in error


@EACH_SERVER
def test_a_missing_database(
    dialect: str, running: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    missing = f"{running(dialect).url}nowhere"
    for error, _ in refused(grace_cli, missing, "init", "refresh"):
        assert "nowhere" in error


@EACH_SERVER
def test_a_missing_right(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    """A user who may connect and no more; one who may read can refresh, and no more."""
    database = new_database(dialect)
    assert grace_cli.run("init", GRACE_OPERATIONAL_URL=database.url).returncode == 0
    guest = f"guest_{database.database}"
    escaped = PASSWORD.replace("'", "''")
    mine = database.url.replace("grace:", f"{guest}:", 1)
    if dialect == "postgres":
        database.execute(f"create role {guest} login password '{escaped}'")
        grants = [
            f"grant usage on schema public to {guest}",
            f"grant select on all tables in schema public to {guest}",
        ]
        nothing = f"revoke usage on schema public from public, {guest}"
        database.execute(nothing)
    else:
        database.execute(
            f"create user '{guest}'@'%' identified by '{escaped}'",
            f"grant show view on `{database.database}`.* to '{guest}'@'%'",
        )
        grants = [f"grant select on `{database.database}`.* to '{guest}'@'%'"]
    list(refused(grace_cli, mine, "refresh", "health"))
    database.execute(*grants)
    reading = grace_cli.run("refresh", GRACE_OPERATIONAL_URL=mine)
    assert reading.returncode == 0, reading.stderr
    looked = grace_cli.run("health", "--json", GRACE_OPERATIONAL_URL=mine)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    for error, _ in refused(grace_cli, mine, "simulate --contracts 5"):
        assert "denied" in error.lower() or "right" in error.lower()


@EACH_SERVER
def test_a_service_file_is_enough(
    dialect: str, new_database: Callable[[str], Server], grace_cli: GraceCli
) -> None:
    database = new_database(dialect)
    name = "dbname" if dialect == "postgres" else "database"
    file = grace_cli.home / "services"
    file.write_text(
        f"[ops]\nhost=127.0.0.1\nport={database.port}\nuser=grace\npassword={PASSWORD}\n"
        f"{name}={database.database}\n"
    )
    # dbt gets what the file said by one way, whatever the server.
    last = [("refresh",)] if dialect == "postgres" else []
    for command in (("init",), ("simulate", "--contracts", "5"), *last):
        done = grace_cli.run(
            *command,
            GRACE_OPERATIONAL_URL=f"{database.scheme}:///?service=ops",
            PGSERVICEFILE=str(file),
            MYSQL_OPTION_FILE=str(file),
        )
        assert done.returncode == 0, done.stderr
        assert not traces(done.stdout, done.stderr)
    file.unlink()
    assert not traces_under(grace_cli.home)


def test_an_argument_that_is_no_url_of_ours_is_left_alone(grace_cli: GraceCli) -> None:
    variables = "{who: 'http://ann:word@example.org'}"
    done = grace_cli.run("build", "--vars", variables, "--select", "nothing_of_this_name")
    assert done.returncode == 3, done.stderr
    assert "There is no sqlite database" in done.stderr


@pytest.mark.parametrize("start", [postgres_server, mariadb_server], ids=SERVERS)
def test_a_server_that_is_killed_during_a_refresh(
    start: Callable[[], object], request: pytest.FixtureRequest, grace_cli: GraceCli
) -> None:
    dialect = request.node.callspec.id
    request.getfixturevalue(f"{dialect}_server")  # says why where it can't be had
    with start() as server:  # type: ignore[attr-defined]
        database = server.create("grace")
        url = database.url
        for command in (("init",), ("simulate", "--contracts", "200"), ("refresh",)):
            done = grace_cli.run(*command, GRACE_OPERATIONAL_URL=url)
            assert done.returncode == 0, done.stderr
        published = (grace_cli.home / "snapshots" / "current.json").read_text()
        process = subprocess.Popen(
            grace_cli.command("refresh", "--reconcile"),  # which reads, although nothing changed
            env=environment(grace_cli.home, GRACE_OPERATIONAL_URL=url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        log = grace_cli.home / "logs" / "dbt.log"
        size = log.stat().st_size
        # dbt has begun: the check before it is over.
        while process.poll() is None and log.stat().st_size == size:
            time.sleep(0.01)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        output, errors = process.communicate(timeout=120)
    told = [line for line in errors.splitlines() if not line.endswith("...")]
    assert process.returncode == 3, output + errors
    assert len(told) == 2 and "What was published before is still served." in told[1], told
    assert not traces(output, errors)
    assert (grace_cli.home / "snapshots" / "current.json").read_text() == published
    assert not traces_under(grace_cli.home)
