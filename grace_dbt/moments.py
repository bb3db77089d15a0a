"""Points in time that somebody typed."""

from __future__ import annotations

from datetime import UTC, datetime

from grace_dbt.errors import ExitCode, GraceError


def moment(text: str) -> datetime:
    """A time that somebody typed; UTC without an offset.

    Raises:
        GraceError: It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise GraceError(
            f"'{text}' is no time.", "Use ISO 8601, e.g. 2025-11-30T12:00:00Z.", ExitCode.USAGE
        ) from None
    if not 1900 <= found.year <= 9000:
        raise GraceError(
            f"'{text}' is no time of Grace.", "Name a year from 1900 to 9000.", ExitCode.USAGE
        )
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
