"""Refresh the cube: run dbt on what the operational database holds now, then publish a snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grace_dbt.dbt_runner import DbtOutcome, run_dbt
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.locking import exclusive
from grace_dbt.operational.schema import require_tables
from grace_dbt.publishing import Published, publish
from grace_dbt.redaction import redacted
from grace_dbt.settings import Settings, project_directory, project_fingerprint

# The cube and all that it stands on, with the cube's own tests; contracts of operational tables are `grace-dbt test`.
SELECTION = ("--select", "+path:models/cube", "--exclude", "source:*", "resource_type:unit_test")

# Words of a failure that lies in the surroundings and not in the project or the data.
ENVIRONMENT_MARKS = (
    "is locked",
    "no space",
    "not a database",
    "malformed",
    "io error",
    "permission denied",
    "not a valid duckdb",
)

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Tier:
    """Executions of one tier, over all that the snapshot holds; `success_rate` is 0 to 1."""

    tier_code: str
    tier_name: str
    total: int
    successful: int
    rollbacks: int
    success_rate: float


@dataclass(frozen=True)
class SourceChange:
    """What a refresh found in one operational table; `quarantined` counts values that can't be read now."""

    table: str
    missing: bool
    read: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    newest_at: str | None


@dataclass(frozen=True)
class RefreshReport:
    """A finished refresh: the number, what changed, how long it took, how fresh it is.

    Attributes:
        rebuilt: Whether every table was built anew; all rows then count as inserted.
        warnings: What a contract found that does not stop a refresh, e.g. a changed row in an append-only table.
        seconds: Wall time of the whole refresh.
        freshness_seconds: From the newest row of the operational database to the end of the refresh; None without rows.
    """

    tiers: list[Tier]
    sources: list[SourceChange]
    snapshot: Published
    rebuilt: bool
    warnings: list[str]
    seconds: float
    freshness_seconds: float | None


def refresh(
    settings: Settings, *, full: bool = False, progress: Progress | None = None
) -> RefreshReport:
    """Bring the cube up to date and publish it.

    Incremental tables that another version of the project built are rebuilt as with `full`: their columns or rules may
    be others by now.

    Args:
        settings: The installation and its operational database.
        full: Rebuild every table from what the database holds now; snapshot tables keep their history.
        progress: Called with the name of each finished node and how many are done.

    Raises:
        GraceError: The database can't be read (exit code 3), or a model or cube contract failed (exit code 1). The
            snapshot published before stays current.
    """
    started = time.monotonic()
    require_tables(settings.operational, readable=landed_tables())
    with exclusive(settings, "refresh"):
        begun = datetime.now(UTC)
        stamp = settings.home / "build.project"
        project = project_fingerprint("dbt_project.yml", "models", "macros", "snapshots")
        if not full and settings.build_file.exists() and _read(stamp) != project:
            full = True
        _require_readable_build(settings)
        if full:
            stamp.unlink(missing_ok=True)  # one that is killed is begun again
        command = ["build", *SELECTION, *(["--full-refresh"] if full else [])]
        outcome = run_dbt(command, settings, on_event=_progress_listener(progress))
        if not outcome.success:
            raise _failure(outcome, settings)
        stamp.write_text(project)
        cube = [
            n.node.name
            for n in outcome.nodes
            if n.node.resource_type == "model" and "cube" in n.node.fqn
        ]
        snapshot = publish(settings, begun, cube)
        tiers, sources = read_report(snapshot)
    newest = max((s.newest_at for s in sources if s.newest_at), default=None)
    fresh = None
    if newest is not None:
        fresh = (
            datetime.now(UTC) - datetime.fromisoformat(newest).replace(tzinfo=UTC)
        ).total_seconds()
    warnings = [
        f"the table {s.table} is missing; "
        + ("nothing of it is in the cube" if full else "what was read from it before stays")
        for s in sources
        if s.missing
    ] + [f"{n.node.name}: {n.failures} rows" for n in outcome.with_status("warn")]
    return RefreshReport(
        tiers, sources, snapshot, full, warnings, time.monotonic() - started, fresh
    )


def landed_tables() -> list[str]:
    """The operational tables that a refresh reads: each has a landing model of its name."""
    models = (project_directory() / "models" / "landing").glob("*/land_*.sql")
    return sorted(model.stem.removeprefix("land_") for model in models)


def _require_readable_build(settings: Settings) -> None:
    """Fail on a build file that DuckDB can't open, before dbt fails on it in more words."""
    import duckdb

    if not settings.build_file.exists():
        return
    try:
        duckdb.connect(str(settings.build_file), read_only=True).close()
    except duckdb.Error as error:
        raise GraceError(
            f"The build file {settings.build_file} can't be opened: {str(error).splitlines()[0]}",
            "Move it away and refresh again: all but the history of tier policies comes back from the source.",
        ) from error


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def read_report(snapshot: Published) -> tuple[list[Tier], list[SourceChange]]:
    """The success rate by tier and the changes by table, from a published snapshot."""
    import duckdb

    with duckdb.connect(snapshot.snapshot_path, read_only=True) as connection:
        tiers = connection.execute(
            "select tier_code, tier_name, total_executions, successful_executions, rollbacks, success_rate"
            " from cube_verification_by_tier order by tier_code"
        ).fetchall()
        sources = connection.execute(
            "select source_table, is_missing, rows_read, rows_inserted, rows_updated, rows_deleted, values_quarantined,"
            " cast(newest_at as varchar) from cube_source_changes order by source_table"
        ).fetchall()
    return [Tier(*row) for row in tiers], [SourceChange(*row) for row in sources]


def _failure(outcome: DbtOutcome, settings: Settings) -> GraceError:
    """Say in two lines what stopped a run; the rest is in dbt's log."""
    broken = outcome.with_status("error", "fail")
    reason = redacted(str(broken[0].message)) if broken else outcome.reason
    where = f"{broken[0].node.name} failed" if broken else "dbt failed"
    outside = any(mark in reason.lower() for mark in ENVIRONMENT_MARKS)
    try:
        if not outcome.with_status("fail"):
            require_tables(settings.operational, readable=landed_tables())
    except GraceError as trouble:
        # What a run can't read is the reason, in whatever words dbt puts it.
        return GraceError(
            f"The run stopped: {trouble.message}",
            f"What was published before is still served. {trouble.hint}",
        )
    return GraceError(
        f"{where}: {reason[:300]}",
        "What was published before is still served. dbt's log: "
        f"{settings.home / 'logs' / 'dbt.log'}",
        ExitCode.ENVIRONMENT if outside else ExitCode.BAD,
    )


def _progress_listener(progress: Progress | None) -> Callable[[str, str, Any], None]:
    done = 0

    def listen(name: str, message: str, data: Any) -> None:
        nonlocal done
        if progress is not None and name == "NodeFinished":
            done += 1
            progress(data.node_info.node_name, done)

    return listen
