"""Fixtures that the whole suite shares: the planned schema, fresh databases, and the command line.

Nothing of the package is imported here, so that tests that prove it from outside stay outside.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest
from places import Place
from servers import Server, ServerMissingError

# What these assert is told in full, as in a test.
pytest.register_assert_rewrite("crash_harness", "cube_oracle.compare")

ROOT = Path(__file__).parents[2]
FILES = ("sqlite", "duckdb")
SERVERS = ("postgres", "mariadb")
ENGINES = (*FILES, *SERVERS)

Plan = list[dict[str, str]]
_NUMBERS = count(1)


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that has its state under a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRACE_")}
    return {**kept, "GRACE_HOME": str(home), "COLUMNS": "120", **variables}


@dataclass
class GraceCli:
    """Runs `grace-dbt` as a process of its own."""

    home: Path

    def run(
        self,
        *arguments: str | Path,
        limits: Callable[[], None] | None = None,
        rights: bool = True,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end.

        Args:
            arguments: What stands behind `grace-dbt`.
            limits: Called in the new process before it starts.
            rights: Without them a read-only file is read-only for root as well.
            variables: More environment.
        """
        return subprocess.run(
            [*(() if rights else without_rights()), *self.command(*arguments)],
            env=environment(self.home, **variables),
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=limits,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start, and go on."""
        return subprocess.Popen(
            self.command(*arguments),
            env=environment(self.home),
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def command(*arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "grace_dbt", *map(str, arguments)]


def untested(reason: str) -> NoReturn:
    """Say why a test can't run on this machine; in CI that is a failure, since nothing is skipped there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def without_rights() -> tuple[str, ...]:
    """A prefix that takes root's power over file rights away; skips the test where that can't be done."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        reason = "root may write everything, and setpriv is missing"
        untested(reason)
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.fixture(scope="session")
def planned_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRACE_HOME in which the plan of each dialect and the parsed project are kept.

    It outlives the session: dbt plans again only after the declaration or a macro has changed. One process of a
    parallel run makes it, the others wait.
    """
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    home = cache.mkdir("grace-home") if cache else tmp_path_factory.mktemp("grace-home")
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (home / "session").open("a+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        if turn.read() != session:
            _plan_and_parse(GraceCli(home), tmp_path_factory.mktemp("parsed") / "empty.sqlite")
            turn.truncate(0)
            turn.write(session)
    return home


def _plan_and_parse(cli: GraceCli, database: Path) -> None:
    """Ask for each plan, and have dbt parse the project for a file."""
    for process in [cli.start("ddl", "--dialect", dialect) for dialect in ENGINES]:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    file = ("--db", f"sqlite:///{database}")
    for command in (("init",), ("health",), ("build", "--select", "tiers")):
        done = cli.run(*command, *file)
        assert done.returncode == 0, done.stderr


def prepare(home: Path, planned_home: Path) -> None:
    """Give a GRACE_HOME the plans and the parsed project."""
    for kept in ("ddl", "parsed"):
        if (planned_home / "dbt" / kept).exists():
            shutil.copytree(planned_home / "dbt" / kept, home / "dbt" / kept)


@pytest.fixture(scope="session")
def ddl_plan(planned_home: Path) -> dict[str, Plan]:
    """The plan of each dialect."""
    plans: dict[str, Plan] = {}
    for dialect in ENGINES:
        [kept] = (planned_home / "dbt" / "ddl").glob(f"{dialect}-*.json")
        plans[dialect] = json.loads(kept.read_text())["schema"]
    return plans


@pytest.fixture
def grace_home(planned_home: Path, tmp_path: Path) -> Path:
    """A GRACE_HOME of its own that knows the plans already."""
    home = tmp_path / "home"
    prepare(home, planned_home)
    return home


@pytest.fixture
def grace_cli(grace_home: Path) -> GraceCli:
    """The command line with a GRACE_HOME of its own."""
    return GraceCli(grace_home)


@pytest.fixture(scope="session")
def templates(ddl_plan: dict[str, Plan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one freshly created database of each dialect."""
    folder = tmp_path_factory.mktemp("templates")
    with sqlite3.connect(folder / "fresh.sqlite") as lite:
        for step in ddl_plan["sqlite"]:
            lite.execute(step["sql"])
    lite.close()
    with duckdb.connect(folder / "fresh.duckdb") as duck:
        for step in ddl_plan["duckdb"]:
            duck.execute(step["sql"])
    return folder


@pytest.fixture
def fresh_sqlite(templates: Path, tmp_path: Path) -> Path:
    """A SQLite file with the whole schema and no rows."""
    return Path(shutil.copy(templates / "fresh.sqlite", tmp_path / "fresh.sqlite"))


@pytest.fixture
def fresh_duckdb(templates: Path, tmp_path: Path) -> Path:
    """A DuckDB file with the whole schema and no rows."""
    return Path(shutil.copy(templates / "fresh.duckdb", tmp_path / "fresh.duckdb"))


def _running(kind: str, start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server for the whole session; without its programs the test is skipped, and fails in CI."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start())
        except ServerMissingError as error:
            reason = f"no {kind} to test with: {error}"
            untested(reason)
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A running PostgreSQL."""
    from servers import postgres_server as start

    yield from _running("PostgreSQL", start)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A running MariaDB."""
    from servers import mariadb_server as start

    yield from _running("MariaDB", start)


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Callable[[str], Server]:
    """The server of a dialect, started when it is first asked for."""
    return lambda dialect: request.getfixturevalue(f"{dialect}_server")


@pytest.fixture
def new_database(running: Callable[[str], Server]) -> Callable[[str], Server]:
    """An empty database on the server of a dialect, by a name that nobody else has."""
    return lambda dialect: running(dialect).create(f"grace_{next(_NUMBERS)}")


@pytest.fixture
def new_place(new_database: Callable[[str], Server], tmp_path: Path) -> Callable[[str], Place]:
    """A place of a dialect that is its own: a file that does not exist, or an empty database."""

    def make(dialect: str) -> Place:
        if dialect in SERVERS:
            return Place(dialect, server=new_database(dialect))
        return Place(dialect, path=tmp_path / f"{next(_NUMBERS)}.{dialect}")

    return make


@pytest.fixture(scope="session")
def template_places(
    templates: Path, running: Callable[[str], Server], ddl_plan: dict[str, Plan]
) -> Callable[[str], Place]:
    """The one database of a dialect with the whole schema and no rows: to look at, and to copy."""

    @cache
    def find(dialect: str) -> Place:
        if dialect not in SERVERS:
            return Place(dialect, path=templates / f"fresh.{dialect}")
        place = Place(dialect, server=running(dialect).create("grace_template"))
        place.run(*(step["sql"] for step in ddl_plan[dialect]))
        return place

    return find


@pytest.fixture(scope="session")
def fresh_place(
    template_places: Callable[[str], Place], ddl_plan: dict[str, Plan],
    running: Callable[[str], Server], tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Place]:  # fmt: skip
    """A database of a dialect with the whole schema and no rows."""

    def make(dialect: str) -> Place:
        name, template = f"grace_{next(_NUMBERS)}", template_places(dialect)
        if template.path:
            folder = tmp_path_factory.mktemp(name)
            return Place(
                dialect, path=Path(shutil.copy(template.path, folder / f"grace.{dialect}"))
            )
        place = Place(dialect, server=running(dialect).create(name, like=template.server))
        if dialect == "mariadb":  # which can't copy a database
            place.run(*(step["sql"] for step in ddl_plan[dialect]))
        return place

    return make
