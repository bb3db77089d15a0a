"""The planned schema: what the macros of `macros/ddl` say, kept so that dbt says it only once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grace_dbt import __version__
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FILE_DIALECTS, OperationalUrl
from grace_dbt.settings import (
    Settings,
    project_fingerprint,
)


@dataclass(frozen=True)
class Step:
    """One statement of the plan.

    Attributes:
        kind: `table`, `index` or `trigger`.
        table: The table that it makes or belongs to.
        name: What it makes.
        sql: The statement, without a semicolon at its end.
    """

    kind: str
    table: str
    name: str
    sql: str


def planned_schema(dialect: str, settings: Settings) -> tuple[Step, ...]:
    """The statements that create the whole operational schema, parents first.

    dbt needs seconds to read the project, so its answer is kept under GRACE_HOME until a file of
    the declaration or of the macros changes. Where nothing can be kept, dbt is asked each time.

    Raises:
        GraceError: The dialect is unknown (exit code 2), or dbt could not plan.
    """
    if dialect not in FILE_DIALECTS:
        raise GraceError(
            f"'{dialect}' is not a dialect that grace-dbt plans for.",
            f"Use one of: {', '.join(FILE_DIALECTS)}.",
            ExitCode.USAGE,
        )
    kept = (
        settings.home
        / "dbt"
        / "ddl"
        / f"{dialect}-{project_fingerprint('models/operational', 'macros/ddl')}.json"
    )
    try:
        return tuple(Step(**step) for step in json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        steps = _ask_dbt(dialect)
        _keep(kept, dialect, steps)
        return tuple(Step(**step) for step in steps)


def script(steps: Iterable[Step], dialect: str) -> str:
    """SQL for the engine's own shell: one transaction, every statement closed."""
    lines = ["pragma foreign_keys = on;"] if dialect == "sqlite" else []
    lines += ["begin;", *(f"\n{step.sql};" for step in steps), "\ncommit;"]
    return "\n".join(lines)


def complete_script(dialect: str, settings: Settings) -> str:
    """The script of the whole schema, with a heading that says what it is.

    Raises:
        GraceError: The dialect is unknown, or dbt could not plan.
    """
    steps = planned_schema(dialect, settings)
    tables = sum(step.kind == "table" for step in steps)
    return (
        f"-- Operational schema of Grace for {dialect}: {tables} tables. grace-dbt {__version__}\n"
        "-- It creates what is missing and changes nothing that exists, so it can run again.\n"
        f"{script(steps, dialect)}"
    )


def _ask_dbt(dialect: str) -> list[dict[str, str]]:
    """Plan in a directory of its own: two runs never meet, and a protected home is no matter."""
    from grace_dbt.dbt_runner import plan_ddl

    try:
        with tempfile.TemporaryDirectory(prefix="grace-dbt-") as place:
            nowhere = OperationalUrl(dialect, Path(place) / "none")
            return plan_ddl(dialect, Settings(Path(place), nowhere))
    except OSError as error:
        raise GraceError(
            f"There is no room to plan the schema in: {error}.",
            "Free some space, or set TMPDIR to a directory that you may write.",
        ) from error


def _keep(kept: Path, dialect: str, steps: list[dict[str, str]]) -> None:
    """Keep the plan if that is possible; a reader sees all of it or nothing."""
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps(steps), encoding="utf-8")
        for outdated in kept.parent.glob(f"{dialect}-*.json"):
            outdated.unlink(missing_ok=True)
        half.replace(kept)
    except OSError:
        # A full disk or a protected home only costs time.
        try:
            half.unlink(missing_ok=True)
        except OSError:
            return
