"""URLs of servers: parts, where the missing ones come from, TLS, and that a password is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import OperationalUrl, ServerUrl, is_local

VARIABLES = (
    *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGSERVICEFILE"),
    *("PGSYSCONFDIR", "PGSSLMODE", "PGSSLROOTCERT", "MYSQL_PWD", "MYSQL_OPTION_FILE"),
    *("GRACE_OPERATIONAL_PASSWORD", "SSL_CERT_FILE"),
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def server(text: str) -> ServerUrl:
    url = OperationalUrl.parse(text)
    assert isinstance(url, ServerUrl)
    return url


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("postgresql://ann@localhost/grace", ("postgres", "localhost", 5432, "ann", "grace", None)),
        ("postgres://ann:pw@127.0.0.1:99/g", ("postgres", "127.0.0.1", 99, "ann", "g", "pw")),
        ("mysql://ann:p%40%2Fw%25@[::1]:7/g", ("mysql", "::1", 7, "ann", "g", "p@/w%")),
        ("mariadb://a%40b@localhost/gr%20ace", ("mysql", "localhost", 3306, "a@b", "gr ace", None)),
        ("postgresql://ann@/g?host=/run/pg", ("postgres", "/run/pg", 5432, "ann", "g", None)),
    ],
)
def test_parts(text: str, parts: tuple[object, ...]) -> None:
    url = server(text)
    assert (url.dialect, url.host, url.port, url.user, url.database, url.password) == parts
    assert server(str(url)) == url


def test_a_password_is_never_shown() -> None:
    url = server("postgresql://ann:s3cret@localhost/grace")
    assert url.password == "s3cret"
    assert "s3cret" not in f"{url} {url!r}"
    assert str(url) == "postgresql://ann@localhost:5432/grace"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:s3cret#x@localhost/grace",
        "postgresql://ann:s3cret/x@localhost/grace",
        "postgresql://ann:12?s3cret@localhost/grace",
        "postgresql://ann:s3cret@localhost:port/grace",
        "mysql://ann:s3cret@localhost/",
        "mysql://ann:s3cret@localhost/grace?colour=s3cret",
        "mysql://ann:s3cret@localhost/grace?ssl-mode=maybe",
        "postgresql://ann:s3cret@localhost/grace?service=nobody",
        "postgresql://ann:s3cret@localhost/grace?schema=a%22b",
        "mysql://ann:s3cret@localhost/a%22b",
        "oracle://ann:s3cret@localhost/grace",
        "ann:s3cret@localhost/grace",
    ],
)
def test_what_is_wrong_is_said_without_the_password(text: str) -> None:
    with pytest.raises(GraceError) as refusal:
        OperationalUrl.parse(text)
    assert refusal.value.exit_code == ExitCode.USAGE
    assert "s3cret" not in refusal.value.message + refusal.value.hint


def test_the_password_of_the_url_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "postgresql://ann{}@localhost/grace"
    monkeypatch.setenv("PGPASSWORD", "third")
    assert server(text.format("")).password == "third"
    monkeypatch.setenv("GRACE_OPERATIONAL_PASSWORD", "second")
    assert server(text.format("")).password == "second"
    assert server(text.format(":first")).password == "first"


def test_mysql_reads_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "third")
    monkeypatch.setenv("PGPASSWORD", "another server's")
    assert server("mysql://ann@localhost/grace").password == "third"


def test_a_service_of_postgres(tmp_path: Path) -> None:
    (tmp_path / ".pg_service.conf").write_text(
        "# ours\n[grace]\nhost=db.example.org\nport=6000\nuser=ann\ndbname=ops\npassword=p;%#w\n"
        "sslmode=require\n"
    )
    url = server("postgresql:///?service=grace")
    assert (url.host, url.port, url.user, url.database) == ("db.example.org", 6000, "ann", "ops")
    assert (url.password, dict(url.tls)) == ("p;%#w", {"sslmode": "require"})
    # The URL wins over its service.
    assert server("postgresql://bob@/mine?service=grace").user == "bob"


def test_a_service_of_mysql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = tmp_path / "options.cnf"
    options.write_text(
        "!includedir /etc/mysql/conf.d/\n[client]\nuser=other\n[grace]\nhost = localhost\nuser = ann\ndatabase = ops\n"
        'password = "p#w"\nssl-mode = required\nskip-something\n'
    )
    monkeypatch.setenv("MYSQL_OPTION_FILE", str(options))
    url = server("mysql:///?service=grace")
    assert (url.host, url.user, url.database, url.password) == ("localhost", "ann", "ops", "p#w")
    assert dict(url.tls) == {"ssl_mode": "required"}


def test_the_environment_of_libpq_fills_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "127.0.0.2", "PORT": "7", "USER": "u", "DATABASE": "d"}.items():
        monkeypatch.setenv(f"PG{name}", value)
    url = server("postgresql://")
    assert (url.host, url.port, url.user, url.database) == ("127.0.0.2", 7, "u", "d")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("/run/postgresql", True),
        ("db.example.org", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_local_hosts(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_a_certificate_is_checked_unless_the_server_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/authorities.pem")
    far = server("postgresql://ann@db.example.org/grace")
    assert dict(far.tls) == {"sslmode": "verify-full", "sslrootcert": "/etc/authorities.pem"}
    far = server("mysql://ann@db.example.org/grace")
    assert dict(far.tls) == {"ssl_mode": "verify_identity", "ssl_ca": "/etc/authorities.pem"}
    assert server("postgresql://ann@localhost/grace").tls == ()


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        ("postgresql://a@h.org/g?sslmode=require", {"sslmode": "require"}),
        (
            "postgresql://a@h.org/g?sslrootcert=/ca.pem&sslcert=/c&sslkey=/k",
            {
                "sslmode": "verify-full",
                "sslrootcert": "/ca.pem",
                "sslcert": "/c",
                "sslkey": "/k",
            },
        ),
        ("mysql://a@h.org/g?ssl-mode=DISABLED", {"ssl_mode": "disabled"}),
        (
            "mysql://a@h.org/g?ssl_ca=/ca.pem",
            {"ssl_mode": "verify_identity", "ssl_ca": "/ca.pem"},
        ),
    ],
)
def test_tls_options_pass_through(text: str, tls: dict[str, str]) -> None:
    assert dict(server(text).tls) == tls
    assert dict(server(str(server(text))).tls) == tls
