"""What stopped a refresh, in two lines, whatever words it came in."""

from __future__ import annotations

from grace_dbt.build_file import damage_of
from grace_dbt.dbt_runner import DbtOutcome
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.backend import WAIT_SECONDS
from grace_dbt.operational.schema import require_tables
from grace_dbt.redaction import redacted
from grace_dbt.settings import Settings, landed_tables

# Words of a failure that lies in the surroundings and not in the project, the data or the build file.
ENVIRONMENT_MARKS = (
    "is locked",
    "lock on file",
    "lock timeout",
    "no space",
    "file too large",
    "disk is full",
    "permission denied",
    "read-only",
    "too many open files",
)
# Words of a failure that may lie in the build file, or in the operational database: the file itself then says.
DAMAGE_MARKS = ("io error", "not a valid duckdb", "corrupt", "invalidated", "checksum")


class DamagedBuildError(GraceError):
    """The build file can't be gone on from."""


def failure_of(outcome: DbtOutcome, settings: Settings) -> GraceError:
    """What stopped dbt; the rest is in its log."""
    broken = outcome.with_status("error", "fail")
    reason = redacted(str(broken[0].message)) if broken else outcome.reason
    where = f"{broken[0].node.name} failed" if broken else "dbt failed"
    if outcome.with_status("fail"):
        return stopped(f"{where}: {reason[:300]}", ExitCode.BAD, settings)
    return explained(reason, where, settings)


def explained(reason: str, where: str, settings: Settings) -> GraceError:
    """What stopped a run that could not read or write: the database, the surroundings, the build file, or itself."""
    if "database is locked" in reason:  # and would be for whoever asks it now
        return stopped(
            f"{where}: another process has {settings.operational} locked for more than {WAIT_SECONDS:.0f} s",
            ExitCode.ENVIRONMENT,
            settings,
        )
    try:
        require_tables(settings.operational, readable=landed_tables())
    except GraceError as trouble:
        return GraceError(
            f"The run stopped: {trouble.message}",
            f"What was published before is still served. {trouble.hint}",
        )
    reason = redacted(" ".join(reason.split()))[:300]
    if is_outside(reason):
        return stopped(f"{where}: {reason}", ExitCode.ENVIRONMENT, settings)
    if not any(mark in reason.lower() for mark in DAMAGE_MARKS):
        return stopped(f"{where}: {reason}", ExitCode.BAD, settings)
    damage = damage_of(settings.build_file)
    error = stopped(f"{where}: {reason}", ExitCode.ENVIRONMENT, settings)
    return DamagedBuildError(damage, error.hint) if damage else error


def stopped(message: str, code: ExitCode, settings: Settings) -> GraceError:
    """An error after which what was published is still there."""
    log = settings.home / "logs" / "dbt.log"
    return GraceError(message, f"What was published before is still served. dbt's log: {log}", code)


def is_outside(reason: str) -> bool:
    """Whether a failure lies in the surroundings, by its words."""
    return any(mark in reason.lower() for mark in ENVIRONMENT_MARKS)
