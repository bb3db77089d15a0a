"""The one kind of error that a user sees: what went wrong, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ExitCode(IntEnum):
    """What a finished command tells its caller."""

    FINE = 0
    BAD = 1  # the thing that was checked, or the run, is bad
    USAGE = 2
    ENVIRONMENT = 3  # a database, a file or a right is missing


class GraceError(Exception):
    """A failure with a hint.

    Attributes:
        message: What went wrong, one line.
        hint: What the user can do about it, one line.
        exit_code: With what the process ends.
    """

    def __init__(self, message: str, hint: str, exit_code: ExitCode = ExitCode.ENVIRONMENT) -> None:
        """Keep the two lines and the code."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


def unforeseen(error: Exception) -> GraceError:
    """An error that nobody gave words to, in one line; a full disk may be met anywhere."""
    from grace_dbt.redaction import redacted

    if isinstance(error, OSError) and error.errno in _FULL:
        return GraceError(
            f"{error.strerror}: {error.filename or 'where the output goes'}.",
            "Make room there, then run it again.",
        )
    reason = str(error).strip().splitlines()
    return GraceError(
        f"{type(error).__name__}: {redacted(reason[0]) if reason else 'no message'}",
        "This was not foreseen. `grace-dbt --debug ...` shows where it happened.",
    )


def listed(names: Sequence[str], shown: int = 5) -> str:
    """A few names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
