"""The planned schema: what the macros of `macros/ddl` say, kept so that dbt says it only once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grace_dbt import __version__
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FileUrl
from grace_dbt.settings import Settings, project_fingerprint

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql", "mariadb")


@dataclass(frozen=True)
class Step:
    """One statement of the plan.

    Attributes:
        kind: `table`, `index`, `trigger`; on servers also `comment`, `function` (what a trigger calls)
            and `guard` (a table that forbids TRUNCATE). Of a statement that mends: `column`,
            `default`, `unique`, `check` or `foreign_key`.
        table: The table that it makes or belongs to.
        name: What it makes.
        sql: The statement, without a semicolon at its end.
        columns: Of a table: the type of each column.
        references: Of a table: the line of each reference, by column, where it has a line of its own.
    """

    kind: str
    table: str
    name: str
    sql: str
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)
    references: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Plan:
    """The plan of the whole schema for one engine.

    Attributes:
        steps: The statements that create it, parents first.
        mends: The statements that add a column or constraint to a table that lacks it.
    """

    steps: tuple[Step, ...]
    mends: tuple[Step, ...] = ()

    @classmethod
    def read(cls, data: dict[str, list[dict[str, Any]]]) -> Plan:
        """A plan as the macros print it."""
        return cls(
            tuple(Step(**step) for step in data["schema"]),
            tuple(Step(**step) for step in data["mends"]),
        )


def planned_schema(dialect: str, settings: Settings) -> Plan:
    """The statements that create the whole operational schema, and those that mend it.

    dbt needs seconds to read the project, so its answer is kept under GRACE_HOME until a file of
    the declaration or of the macros changes. Where nothing can be kept, dbt is asked each time.

    Raises:
        GraceError: The dialect is unknown (exit code 2), or dbt could not plan.
    """
    if dialect not in DIALECTS:
        raise GraceError(
            f"'{dialect}' is not a dialect that grace-dbt plans for.",
            f"Use one of: {', '.join(DIALECTS)}.",
            ExitCode.USAGE,
        )
    kept = (
        settings.home
        / "dbt"
        / "ddl"
        / f"{dialect}-{project_fingerprint('models/operational', 'macros/ddl')}.json"
    )
    try:
        return Plan.read(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        data = _ask_dbt(dialect)
        _keep(kept, dialect, data)
        return Plan.read(data)


def script(steps: Iterable[Step], dialect: str) -> str:
    """SQL for the engine's own shell, every statement closed: one transaction where there is one."""
    statements = [f"{step.sql};" for step in steps]
    if dialect in ("mysql", "mariadb"):
        return "\n\n".join(["set names utf8mb4;", *statements])
    opening = ["pragma foreign_keys = on;\nbegin;"] if dialect == "sqlite" else ["begin;"]
    return "\n\n".join([*opening, *statements, "commit;"])


def complete_script(dialect: str, settings: Settings) -> str:
    """The script of the whole schema, with a heading that says what it is.

    Raises:
        GraceError: The dialect is unknown, or dbt could not plan.
    """
    steps = planned_schema(dialect, settings).steps
    tables = sum(step.kind == "table" for step in steps)
    # MySQL has no `create index if not exists`; MariaDB has.
    promise = (
        "For an empty database; grace-dbt init completes one that has tables."
        if dialect == "mysql"
        else "It creates what is missing and changes nothing that exists, so it can run again."
    )
    return (
        f"-- Operational schema of Grace for {dialect}: {tables} tables. grace-dbt {__version__}\n"
        f"-- {promise}\n{script(steps, dialect)}"
    )


def _ask_dbt(dialect: str) -> dict[str, Any]:
    """Plan in a directory of its own: two runs never meet, and a protected home is no matter."""
    from grace_dbt.dbt_runner import plan_ddl

    try:
        with tempfile.TemporaryDirectory(prefix="grace-dbt-") as place:
            nowhere = FileUrl("sqlite", Path(place) / "none")
            return plan_ddl(dialect, Settings(Path(place), nowhere))
    except OSError as error:
        raise GraceError(
            f"There is no room to plan the schema in: {error}.",
            "Free some space, or set TMPDIR to a directory that you may write.",
        ) from error


def _keep(kept: Path, dialect: str, data: dict[str, Any]) -> None:
    """Keep the plan if that is possible; a reader sees all of it or nothing."""
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps(data), encoding="utf-8")
        for outdated in kept.parent.glob(f"{dialect}-*.json"):
            outdated.unlink(missing_ok=True)
        half.replace(kept)
    except OSError:
        # A full disk or a protected home only costs time.
        try:
            half.unlink(missing_ok=True)
        except OSError:
            return
