"""Real database servers for the tests: started by the tests, as an unprivileged user, on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pymysql

USER = "grace"
PASSWORD = "canary-s3cret@/:?#%"  # every character that a URL has to escape
WAIT_SECONDS = 60.0


class ServerMissingError(RuntimeError):
    """The programs of a server are not on this machine."""


@dataclass(frozen=True)
class Server:
    """A running server, or one database of it.

    Attributes:
        dialect: `postgres` or `mariadb`.
        scheme: Of its URLs.
        port: On 127.0.0.1.
        process: Of the server.
        database: The database that `url` and `connect` mean.
    """

    dialect: str
    scheme: str
    port: int
    process: subprocess.Popen[bytes]
    database: str = ""

    @property
    def url(self) -> str:
        """With the password, as a user would write it."""
        return (
            f"{self.scheme}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}"
            f"/{self.database}"
        )

    @property
    def plain_url(self) -> str:
        """Without the password, as the product may print it."""
        return f"{self.scheme}://{USER}@127.0.0.1:{self.port}/{self.database}"

    @property
    def libpq(self) -> dict[str, str]:
        """The variables by which clients of PostgreSQL find the database."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": self.database,
        }

    def connect(self) -> Any:
        """A connection of the driver itself that commits each statement; the caller closes it."""
        if self.dialect == "postgres":
            connection = psycopg2.connect(
                host="127.0.0.1",
                port=self.port,
                user=USER,
                password=PASSWORD,
                dbname=self.database or "postgres",
            )
            connection.autocommit = True
            return connection
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            database=self.database or None,
            charset="utf8mb4",
            autocommit=True,
        )

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, each in a transaction of its own; the rows of the last one."""
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor()
            for sql in statements:
                cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def create(self, database: str, like: Server | None = None) -> Server:
        """A new database; on PostgreSQL it may be a copy of another one that nobody is using."""
        mark = '"' if self.dialect == "postgres" else "`"
        template = f' template "{like.database}"' if like and self.dialect == "postgres" else ""
        replace(self, database="").execute(f"create database {mark}{database}{mark}{template}")
        return replace(self, database=database)


@contextmanager
def postgres_server(certificate: Path | None = None) -> Iterator[Server]:
    """A PostgreSQL with a superuser `grace` who needs a password.

    Args:
        certificate: A directory with `server.crt` and `server.key`; with it the server offers TLS.

    Raises:
        ServerMissingError: It is not installed.
    """
    initdb, postgres = program("initdb"), program("postgres")
    with _folder("postgres") as (folder, user):
        secret = folder / "password"
        secret.write_text(PASSWORD)
        os.chown(secret, user.pw_uid, user.pw_gid)
        _run(
            user,
            *(initdb, "--pgdata", folder / "data", "--username", USER, "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "max_connections": 60,
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            # A server in another zone: nothing may depend on it.
            "timezone": "Asia/Kolkata",
            "datestyle": "SQL, DMY",
        }
        if certificate:
            crt, key = _copied(certificate, folder, user)
            settings |= {"ssl": "on", "ssl_cert_file": crt, "ssl_key_file": key}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = (postgres, "-D", folder / "data", *options)
        with _serving(user, folder, *command, ending=signal.SIGQUIT) as process:
            server = Server("postgres", "postgresql", port, process)
            _wait(server, folder)
            yield server


@contextmanager
def mariadb_server(certificate: Path | None = None) -> Iterator[Server]:
    """A MariaDB with a user `grace` who may do everything and needs a password.

    Args:
        certificate: As of `postgres_server`.

    Raises:
        ServerMissingError: It is not installed.
    """
    install, mariadbd, client = (
        program("mariadb-install-db"),
        program("mariadbd"),
        program("mariadb"),
    )
    with _folder("mysql") as (folder, user):
        data, door = folder / "data", folder / "mariadb.sock"
        _run(
            user,
            *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        port = free_port()
        settings = {
            "datadir": data,
            "socket": door,
            "pid-file": folder / "mariadb.pid",
            # A server that starts deletes the temporary tables it finds: in /tmp, those of others.
            "tmpdir": folder,
            "port": port,
            "bind-address": "127.0.0.1",
            # Nothing here has to outlive the machine.
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-flush-method": "nosync",
            "innodb-doublewrite": 0,
            "sync-frm": 0,
            "innodb-buffer-pool-size": "256M",
            "default-time-zone": "+05:30",
        }
        if certificate:
            crt, key = _copied(certificate, folder, user)
            settings |= {"ssl-cert": crt, "ssl-key": key}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = (mariadbd, "--no-defaults", *options)
        with _serving(user, folder, *command, ending=signal.SIGKILL) as process:
            server = Server("mariadb", "mysql", port, process)
            deadline = time.monotonic() + WAIT_SECONDS
            while not door.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            escaped = PASSWORD.replace("'", "''")
            _run(
                None,
                *(client, "--no-defaults", f"--socket={door}", "--user=root", "--execute"),
                f"create user '{USER}'@'%' identified by '{escaped}';"
                f"grant all on *.* to '{USER}'@'%' with grant option",
            )
            _wait(server, folder)
            yield server


def program(name: str) -> Path:
    """Where a program is; Debian keeps those of PostgreSQL off the PATH.

    Raises:
        ServerMissingError: It is nowhere.
    """
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, places)])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerMissingError(f"{name} is not installed (Debian: postgresql, mariadb-server)")
    return Path(found).resolve() if name in ("initdb", "postgres") else Path(found)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _folder(owner: str) -> Iterator[tuple[Path, pwd.struct_passwd]]:
    """A directory that the server's user owns: never root, whom both servers refuse."""
    user = pwd.getpwuid(os.getuid())
    if os.getuid() == 0:
        try:
            user = pwd.getpwnam(owner)
        except KeyError:
            user = pwd.getpwnam("nobody")
    # Not under pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix=f"grace-{owner}-", ignore_cleanup_errors=True) as name:
        os.chown(name, user.pw_uid, user.pw_gid)
        yield Path(name), user


def _copied(certificate: Path, folder: Path, user: pwd.struct_passwd) -> list[Path]:
    """The certificate and its key where the server's user alone may read them."""
    copies = []
    for name in ("server.crt", "server.key"):
        copy = Path(shutil.copy(certificate / name, folder / name))
        os.chown(copy, user.pw_uid, user.pw_gid)
        copy.chmod(0o600)
        copies.append(copy)
    return copies


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    if user is None or os.getuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(user: pwd.struct_passwd | None, *command: Any) -> None:
    done = subprocess.run(
        list(map(str, command)), **_as(user), cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


@contextmanager
def _serving(
    user: pwd.struct_passwd, folder: Path, *command: Any, ending: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            list(map(str, command)), **_as(user), cwd="/", stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        # What is in it is of no use any more. PostgreSQL takes its own children along.
        process.send_signal(ending)
        process.wait()


def _wait(server: Server, folder: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            server.connect().close()
            return
        except (psycopg2.OperationalError, pymysql.err.OperationalError) as error:
            ended = server.process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")
                raise RuntimeError(f"{server.dialect} does not answer: {error}\n{log}") from error
            time.sleep(0.05)
