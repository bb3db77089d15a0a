"""Operational databases by URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from grace_dbt.errors import ExitCode, GraceError

FILE_DIALECTS = ("sqlite", "duckdb")


@dataclass(frozen=True)
class OperationalUrl:
    """A parsed URL of an operational database that lives in one file.

    Attributes:
        dialect: `sqlite` or `duckdb`.
        path: The file, absolute.
    """

    dialect: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> OperationalUrl:
        """Read `sqlite:///file` or `duckdb:///file`; a fourth slash makes the path absolute.

        Raises:
            GraceError: The scheme is unknown or the path is missing (exit code 2).
        """
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in FILE_DIALECTS:
            raise GraceError(
                f"'{scheme}' is not a database URL that grace-dbt reads.",
                "Use sqlite:///path/to/file or duckdb:///path/to/file.",
                ExitCode.USAGE,
            )
        if not rest.startswith("/") or not rest.strip("/"):
            raise GraceError(
                f"The URL of the {scheme} database names no file.",
                f"Use {scheme}:///path/to/file (three slashes), or four for an absolute path.",
                ExitCode.USAGE,
            )
        return cls(scheme, Path(unquote(rest[1:])).expanduser().absolute())

    def __str__(self) -> str:
        """The URL with its absolute path, as other processes can use it."""
        return f"{self.dialect}:///{str(self.path).replace('%', '%25')}"

    def require_file(self) -> None:
        """Fail where there is no database to read.

        Raises:
            GraceError: The file does not exist or is a directory.
        """
        if not self.path.is_file():
            raise GraceError(
                f"There is no {self.dialect} database at {self.path}.",
                f"Create it with: grace-dbt init --db {self}",
            )
