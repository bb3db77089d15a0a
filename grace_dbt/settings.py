"""Where things are: state under GRACE_HOME, the operational database, and the dbt project itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from grace_dbt import __version__
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import OperationalUrl

HOME_VARIABLE = "GRACE_HOME"
URL_VARIABLE = "GRACE_OPERATIONAL_URL"
BUILD_FILE = "build.duckdb"
# The folders of the models that are published.
PUBLISHED = ("models/cube", "models/kernels", "models/audit")


@dataclass(frozen=True)
class Settings:
    """One installation's places.

    Attributes:
        home: Directory of everything that grace-dbt writes (`GRACE_HOME`, default `./data`).
        operational: The database that Grace writes: `--db`, `GRACE_OPERATIONAL_URL`, or a SQLite file under `home`.
    """

    home: Path
    operational: OperationalUrl

    @classmethod
    def load(cls, db: str | None = None, *, home: str | os.PathLike[str] | None = None) -> Settings:
        """Read the environment; `db` overrides the URL of the operational database, `home` the state directory.

        Raises:
            GraceError: The URL can't be read.
        """
        home = Path(home or os.environ.get(HOME_VARIABLE) or "data").expanduser().absolute()
        if any(mark in str(home) for mark in "?#'"):
            raise GraceError(
                f"The path {home} has a character that the databases read as something else: ? # '",
                f"Set {HOME_VARIABLE} to another directory.",
                ExitCode.USAGE,
            )
        url = db or os.environ.get(URL_VARIABLE) or f"sqlite:///{home / 'operational.sqlite'}"
        return cls(home, OperationalUrl.parse(url))

    @property
    def build_file(self) -> Path:
        """The DuckDB file in which the cube is built; readers never open it."""
        return self.home / BUILD_FILE

    @property
    def snapshots(self) -> Path:
        """The directory of published snapshots and the pointer to the newest."""
        return self.home / "snapshots"

    def ensure_home(self) -> None:
        """Create the state directory.

        Raises:
            GraceError: It can't be created or written.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if not os.access(self.home, os.W_OK):
                raise PermissionError(13, "not writable", str(self.home))
        except OSError as error:
            raise GraceError(
                f"The state directory {self.home} can't be written: {error.strerror}.",
                f"Set {HOME_VARIABLE} to a directory that you may write.",
            ) from error


def project_directory() -> Path:
    """The dbt project: carried by the wheel, or the checkout that this package stands in.

    Raises:
        GraceError: There is none, so the installation is broken.
    """
    package = Path(__file__).parent
    for place in (package / "project", package.parent):
        if (place / "dbt_project.yml").is_file():
            return place
    raise GraceError("The dbt project of grace-dbt is missing.", "Install the package again.")


def project_fingerprint(
    *parts: str, suffixes: Collection[str] = (".yml", ".sql"), without: str = ""
) -> str:
    """A digest of the package version and of these files and folders of the dbt project, one folder left out."""
    project = project_directory()
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        place = project / part
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in files:
            if path.suffix in suffixes and not (without and path.is_relative_to(project / without)):
                digest.update(f"\n{path.relative_to(project)}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def landed_tables() -> list[str]:
    """The operational tables that a refresh reads: each has a landing model of its name."""
    models = (project_directory() / "models" / "landing").glob("*/land_*.sql")
    return sorted(model.stem.removeprefix("land_") for model in models)


def cube_tables() -> list[str]:
    """The tables that are published: each has a model of its name."""
    project = project_directory()
    return sorted(m.stem for folder in PUBLISHED for m in (project / folder).rglob("*.sql"))


def published_columns() -> dict[str, frozenset[str]]:
    """The columns of each published table, as its contract says."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    project = project_directory()
    columns: dict[str, frozenset[str]] = dict.fromkeys(cube_tables(), frozenset())
    for folder in PUBLISHED:
        for path in sorted((project / folder).rglob("*__models.yml")):
            for model in yaml.load(path.read_text(encoding="utf-8"), loader)["models"]:
                columns[model["name"]] = frozenset(c["name"] for c in model.get("columns", ()))
    return columns
