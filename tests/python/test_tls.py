"""TLS with real certificates, through both ways to a server: its own driver, and DuckDB."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import pytest
from conftest import SERVERS
from servers import Server, mariadb_server, postgres_server

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.attach import attach_operational
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl

Start = Callable[[Path], AbstractContextManager[Server]]
STARTS: dict[str, Start] = {"postgres": postgres_server, "mariadb": mariadb_server}
# What `verify everything`, `encrypt` and the file of authorities are called.
WORDS = {
    "postgres": ("sslmode=verify-full", "sslmode=require", "sslrootcert"),
    "mariadb": ("ssl-mode=verify_identity", "ssl-mode=required", "ssl-ca"),
}
# Of the same address. MariaDB's client asks for no name at localhost; libpq reads 127.1 as the address it is.
OTHER_NAMES = {"postgres": "localhost", "mariadb": "127.1"}


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, of which `ours` signed the certificate of 127.0.0.1 and of no other name."""
    folder = tmp_path_factory.mktemp("with a blank")
    for name in ("ours", "other"):
        openssl(
            folder,
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )
    openssl(
        folder,
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    openssl(
        folder,
        *("x509", "-req", "-in", "server.csr", "-CA", "ours.pem", "-CAkey", "ours.key"),
        *("-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.crt"),
    )
    return folder


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, certificates: Path) -> Iterator[Server]:
    request.getfixturevalue(f"{request.param}_server")  # says why where it can't be had
    with STARTS[request.param](certificates) as started:
        yield started.create("grace")


def connect_both_ways(url: str) -> None:
    with open_database(OperationalUrl.parse(url), write=False) as database:
        database.reflect(["sources"])
    with duckdb.connect() as connection:
        attach_operational(connection, OperationalUrl.parse(url))
        connection.execute("select 1 from duckdb_tables() where database_name = 'grace'")


def ways(url: str) -> list[Callable[[], object]]:
    """Each way alone, since each has to refuse by itself."""
    return [
        lambda: open_database(OperationalUrl.parse(url), write=False),
        lambda: attach_operational(duckdb.connect(), OperationalUrl.parse(url)),
    ]


def test_a_right_certificate_is_taken(server: Server, certificates: Path) -> None:
    everything, _, authorities = WORDS[server.dialect]
    connect_both_ways(f"{server.url}?{everything}&{authorities}={certificates / 'ours.pem'}")


def test_encryption_alone_asks_no_authority(server: Server) -> None:
    connect_both_ways(f"{server.url}?{WORDS[server.dialect][1]}")


@pytest.mark.parametrize("fault", ["authority", "name"])
def test_a_wrong_certificate_is_refused(fault: str, server: Server, certificates: Path) -> None:
    everything, _, authorities = WORDS[server.dialect]
    signed_by = "other.pem" if fault == "authority" else "ours.pem"
    url = f"{server.url}?{everything}&{authorities}={certificates / signed_by}"
    if fault == "name":
        url = url.replace("@127.0.0.1:", f"@{OTHER_NAMES[server.dialect]}:")
    for way in ways(url):
        with pytest.raises(GraceError) as refusal:
            way()
        assert refusal.value.exit_code == ExitCode.ENVIRONMENT
        assert "s3cret" not in refusal.value.message + refusal.value.hint
        words = refusal.value.message.lower()
        assert "certificate" in words or "tls" in words or "ssl" in words, words
