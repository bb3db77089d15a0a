"""One writer of the build file at a time, across processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from grace_dbt.errors import GraceError
from grace_dbt.settings import Settings


class BusyError(GraceError):
    """Another process holds the installation."""


@contextmanager
def exclusive(settings: Settings, purpose: str) -> Iterator[None]:
    """Hold the installation's lock; the system releases it when a process dies, however it dies.

    Args:
        settings: The installation.
        purpose: What the lock is for, told to whoever finds it held.

    Raises:
        BusyError: Another process holds it; the message names its pid, purpose and age.
        GraceError: The lock can't be written.
    """
    settings.ensure_home()
    holder = settings.home / "lock.json"
    lock = FileLock(settings.home / "lock", timeout=0)
    try:
        lock.acquire()
        record = {"pid": os.getpid(), "purpose": purpose, "since": time.time()}
        holder.write_text(json.dumps(record))
    except Timeout:
        raise BusyError(
            f"Another grace-dbt is at work here: {_describe(holder)}.",
            "Wait until it ends, or give this one its own GRACE_HOME.",
        ) from None
    except PermissionError as error:
        lock.release()
        raise GraceError(
            f"{error.filename} belongs to somebody else.", "Use a GRACE_HOME of your own."
        ) from error
    except OSError as error:
        lock.release()
        raise GraceError(
            f"{holder} can't be written: {error.strerror}.", f"Make room under {settings.home}."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _describe(holder: Path) -> str:
    try:
        held = json.loads(holder.read_text())
        age = max(0, round(time.time() - held["since"]))
        return f"process {held['pid']}, {held['purpose']}, for {age} s"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has just started"
