"""Operational databases by URL: files, and servers with their credentials and TLS options."""

from __future__ import annotations

import configparser
import getpass
import ipaddress
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from grace_dbt.errors import ExitCode, GraceError

FILE_DIALECTS = ("sqlite", "duckdb")
PASSWORD_VARIABLE = "GRACE_OPERATIONAL_PASSWORD"
# For dbt alone: the schema of the operational tables, and the file for dbt-sqlite.
SCHEMA_VARIABLE = "GRACE_OPERATIONAL_SCHEMA"
PATH_VARIABLE = "GRACE_OPERATIONAL_PATH"

_SCHEMES = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_TLS_OPTIONS = {
    "postgres": ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"),
    "mysql": ("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key"),
}
_TLS_MODES = {
    "postgres": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "mysql": ("disabled", "preferred", "required", "verify_ca", "verify_identity"),
}


class OperationalUrl(ABC):
    """A parsed URL of an operational database.

    Attributes:
        dialect: `sqlite`, `duckdb`, `postgres` or `mysql` (MariaDB included: the server tells).
    """

    dialect: str

    @staticmethod
    def parse(text: str) -> OperationalUrl:
        """Read `sqlite:///file`, `duckdb:///file`, `postgresql://...` or `mysql://...`.

        What the URL of a server leaves out comes from its service (`?service=name`), then from the
        environment: GRACE_OPERATIONAL_PASSWORD, and what the clients of that server read.

        Raises:
            GraceError: The URL can't be read (exit code 2). It is never quoted: it may hold a password.
        """
        scheme, separator, rest = text.partition("://")
        dialect = _SCHEMES.get(scheme.lower()) if separator else None
        if dialect is None:
            shown = f"'{scheme}' is not a database" if separator else "This is no database"
            raise _usage(
                f"{shown} URL that grace-dbt reads.",
                "Use sqlite:///file, duckdb:///file, postgresql://user@host/database or"
                " mysql://user@host/database.",
            )
        if dialect in FILE_DIALECTS:
            return FileUrl.read(dialect, rest)
        return ServerUrl.read(dialect, rest)

    @abstractmethod
    def __str__(self) -> str:
        """The URL as it may be shown: without a password."""

    @abstractmethod
    def require_present(self) -> None:
        """Fail where there is surely no database to read.

        Raises:
            GraceError: A file does not exist or is a directory.
        """

    @property
    @abstractmethod
    def schema(self) -> str:
        """The schema of the operational tables, as DuckDB sees the attached database."""

    @abstractmethod
    def dbt_variables(self) -> dict[str, str]:
        """Environment variables by which dbt finds the database beside its URL."""


@dataclass(frozen=True)
class FileUrl(OperationalUrl):
    """A database that lives in one file.

    Attributes:
        dialect: `sqlite` or `duckdb`.
        path: The file, absolute.
    """

    dialect: str
    path: Path

    @classmethod
    def read(cls, dialect: str, rest: str) -> FileUrl:
        """Read what stands behind `://`; a fourth slash makes the path absolute.

        Raises:
            GraceError: The path is missing (exit code 2).
        """
        if not rest.startswith("/") or not rest.strip("/"):
            raise _usage(
                f"The URL of the {dialect} database names no file.",
                f"Use {dialect}:///path/to/file (three slashes), or four for an absolute path.",
            )
        return cls(dialect, Path(unquote(rest[1:])).expanduser().absolute())

    def __str__(self) -> str:
        """The URL with its absolute path, as other processes can use it."""
        return f"{self.dialect}:///{str(self.path).replace('%', '%25')}"

    @property
    def schema(self) -> str:
        """See `OperationalUrl.schema`."""
        return "main"

    def dbt_variables(self) -> dict[str, str]:
        """See `OperationalUrl.dbt_variables`."""
        return {SCHEMA_VARIABLE: self.schema, PATH_VARIABLE: str(self.path)}

    def require_present(self) -> None:
        """See `OperationalUrl.require_present`."""
        if not self.path.is_file():
            raise GraceError(
                f"There is no {self.dialect} database at {self.path}.",
                f"Create it with: grace-dbt init --db {self}",
            )


@dataclass(frozen=True)
class ServerUrl(OperationalUrl):
    """A database on a server.

    Attributes:
        dialect: `postgres` or `mysql`.
        host: Name or address; a path is the directory (PostgreSQL) or file (MySQL) of a socket.
        port: Of the server.
        user: Who connects.
        database: Its name.
        tls: Options of the client library by name; the check of the certificate is on unless the
            server is on this machine or the mode says otherwise.
        namespace: Schema of the tables on PostgreSQL.
        password: Never shown; None leaves it to the client library (PostgreSQL: its password file).
    """

    dialect: str
    host: str
    port: int
    user: str
    database: str
    tls: tuple[tuple[str, str], ...] = ()
    namespace: str = "public"
    password: str | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, dialect: str, rest: str) -> ServerUrl:
        """Read what stands behind `://`.

        Raises:
            GraceError: A part is missing, unknown or not escaped, or there is no such service (exit
                code 2).
        """
        try:
            parts = urlsplit(f"//{rest}", allow_fragments=True)
            port = parts.port
        except ValueError:
            port, parts = None, None
        # What is not escaped may have ended up anywhere, and is never quoted.
        if parts is None or "#" in rest or "@" in parts.query:
            raise _usage(
                f"The URL of the {dialect} database can't be read.",
                "Escape the characters @ : / ? # % of a name or password: %40 %3A %2F %3F %23 %25.",
            )
        query = {
            name.lower().replace("-", "_") if dialect == "mysql" else name: value
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        }
        default = _Defaults(dialect, _service(dialect, query))
        given = {
            "host": unquote(parts.hostname or "") or query.pop("host", ""),
            "port": str(port or ""),
            "user": unquote(parts.username or ""),
            "database": unquote(parts.path.removeprefix("/")),
        }
        tls = {name: query.pop(name, "") or default(name) for name in _TLS_OPTIONS[dialect]}
        namespace = query.pop("schema", "") or "public" if dialect == "postgres" else ""
        if query:
            options = (
                "service",
                "host",
                *(["schema"] if namespace else []),
                *_TLS_OPTIONS[dialect],
            )
            raise _usage(
                f"The URL has an unknown option: {min(query)}.",
                f"Options are: {', '.join(options)}.",
            )
        user = given["user"] or default("user") or getpass.getuser()
        database = given["database"] or default("database")
        if not database:
            raise _usage(
                f"The URL of the {dialect} database names no database.",
                f"Use {_scheme(dialect)}://user@host/database.",
            )
        if '"' in (namespace if dialect == "postgres" else database):
            raise _usage(
                "The name of the schema holds a double quote, which dbt does not escape.",
                "Rename it, or name another one.",
            )
        host = given["host"] or default("host") or "localhost"
        text = given["port"] or default("port") or ("5432" if dialect == "postgres" else "3306")
        if not text.isdecimal():
            raise _usage("The port of the server is no number.", "Use host:port.")
        password = unquote(parts.password) if parts.password is not None else None
        return cls(
            dialect,
            host,
            int(text),
            user,
            database,
            _checked_tls(dialect, host, {name: value for name, value in tls.items() if value}),
            namespace,
            password or os.environ.get(PASSWORD_VARIABLE) or default("password") or None,
        )

    def __str__(self) -> str:
        """The URL without its password, as other processes can use it."""
        query = dict(self.tls)
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.host.startswith("/"):
            host, query["host"] = "", self.host
        if self.namespace not in ("public", ""):
            query["schema"] = self.namespace
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        text = f"{_scheme(self.dialect)}://{user}@{host}:{self.port}/{database}"
        return f"{text}?{urlencode(query, safe='/')}" if query else text

    @property
    def schema(self) -> str:
        """See `OperationalUrl.schema`."""
        return self.namespace if self.dialect == "postgres" else self.database

    def dbt_variables(self) -> dict[str, str]:
        """See `OperationalUrl.dbt_variables`; a password is in the environment of the process alone."""
        found = {SCHEMA_VARIABLE: self.schema}
        if self.password:
            found[PASSWORD_VARIABLE] = self.password
        if self.dialect == "postgres":
            parts = {"host": self.host, "port": str(self.port), "user": self.user, **dict(self.tls)}
            parts |= {"database": self.database, "password": self.password or ""}
            found |= {f"PG{name.upper()}": value for name, value in parts.items()}
        return found

    def require_present(self) -> None:
        """See `OperationalUrl.require_present`; only a connection can tell."""


class _Defaults:
    """What a URL leaves out: from the named service, else from the environment of the client."""

    def __init__(self, dialect: str, service: Mapping[str, str]) -> None:
        names = {"database": "dbname"} if dialect == "postgres" else {}
        self._prefix = "PG" if dialect == "postgres" else ""
        self._names = names
        self._service = service

    def __call__(self, name: str) -> str:
        """The value for a part of the URL; empty where nobody gives one."""
        found = self._service.get(self._names.get(name, name), "")
        if not found and self._prefix:
            found = os.environ.get(self._prefix + name.upper(), "")
        elif not found and name == "password":
            found = os.environ.get("MYSQL_PWD", "")
        return found


def _service(dialect: str, query: dict[str, str]) -> Mapping[str, str]:
    """The section of a service file (PostgreSQL), or of an option file (MySQL), that a URL names."""
    name = query.pop("service", "") or (
        os.environ.get("PGSERVICE", "") if dialect == "postgres" else ""
    )
    if not name:
        return {}
    if dialect == "postgres":
        folder = os.environ.get("PGSYSCONFDIR")
        named = os.environ.get("PGSERVICEFILE")
        files = [named or "~/.pg_service.conf", *([f"{folder}/pg_service.conf"] if folder else [])]
    else:
        files = [os.environ.get("MYSQL_OPTION_FILE") or "~/.my.cnf"]
    paths = [Path(file).expanduser() for file in files]
    for path in paths:
        # Values are taken as they stand: a password may hold any character.
        parser = configparser.RawConfigParser(
            allow_no_value=True, strict=False, delimiters=("=",), comment_prefixes=("#", ";")
        )
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            # Directives of MySQL such as !includedir belong to no section.
            parser.read_string("\n".join(line for line in lines if not line.startswith("!")))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, configparser.Error) as error:
            raise _usage(
                f"The service file {path} can't be read: {type(error).__name__}.",
                "Check its rights; it holds [sections] of lines like host=...",
            ) from None
        if parser.has_section(name):
            found = {key.replace("-", "_"): value or "" for key, value in parser.items(name)}
            if dialect == "mysql":
                found = {key: value.strip("'\"") for key, value in found.items()}
                found["host"] = found.get("socket") or found.get("host", "")
            return found
    raise _usage(
        f"There is no service '{name}' in {' or '.join(map(str, paths))}.",
        f"Add a section [{name}] with host, port, user, password and database there.",
    )


def _checked_tls(dialect: str, host: str, tls: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """TLS options with the default of a server elsewhere: its certificate has to be right."""
    mode, authorities = _TLS_OPTIONS[dialect][:2]
    modes = _TLS_MODES[dialect]
    if mode in tls:
        tls[mode] = tls[mode].lower()
        if tls[mode] not in modes:
            raise _usage(
                f"'{tls[mode]}' is no value of {mode}.", f"Use one of: {', '.join(modes)}."
            )
    elif not is_local(host):
        tls[mode] = modes[-1]
    if tls.get(mode) in modes[-2:] and authorities not in tls:
        tls[authorities] = _known_authorities()
    return tuple(sorted(tls.items()))


def _known_authorities() -> str:
    import certifi

    return os.environ.get("SSL_CERT_FILE") or certifi.where()


def is_local(host: str) -> bool:
    """Whether a host is this machine: a socket, `localhost`, or a loopback address."""
    if host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _scheme(dialect: str) -> str:
    return "postgresql" if dialect == "postgres" else dialect


def _usage(message: str, hint: str) -> GraceError:
    return GraceError(message, hint, ExitCode.USAGE)
