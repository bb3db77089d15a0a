"""What every measurement needs: processes that are timed, a process that stays warm, and a place for the figures."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = Path(__file__).with_name("results.json")
GRACE = (sys.executable, "-m", "grace_dbt")
# Bytes a unit of ru_maxrss.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# A list of numbers, which stands in one line.
_NUMBERS = re.compile(r"\[[-+.\de,\s]+\]")


def environment(home: Path) -> dict[str, str]:
    """That of a process with its state under a home of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))}
    return {**clean, "GRACE_HOME": str(home)}


@dataclass(frozen=True)
class Figure:
    """One process from start to end: wall and CPU seconds, and the most memory it held, in bytes."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @classmethod
    def of(cls, name: str, command: tuple[str, ...], home: Path) -> Figure:
        """Run a command with its state under a home of its own.

        Raises:
            SystemExit: The command failed; its output is the message.
        """
        with tempfile.TemporaryFile("w+") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment(home), stdout=output, stderr=subprocess.STDOUT
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                output.seek(0)
                raise SystemExit(f"{name} failed:\n{output.read()}")
        cpu_seconds = usage.ru_utime + usage.ru_stime
        figure = cls(name, seconds, cpu_seconds, usage.ru_maxrss * RSS_UNIT)
        note(f"{figure.seconds:8.2f} s  {name}")
        return figure


def peak_bytes() -> int:
    """The most memory that this process held.

    On Linux `ru_maxrss` begins with what the process held that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [each for each in status.read_text().splitlines() if each.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def middle(values: list[float]) -> float:
    """The middle one; of two in the middle the better one."""
    return sorted(values)[(len(values) - 1) // 2]


class Warm:
    """A process that has refreshed before and refreshes again when it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take over a process that `warm` started."""
        self._process = process

    def refresh(self, **scope: bool) -> dict[str, Any]:
        """Refresh once.

        Args:
            scope: `full` or `reconcile`.

        Returns:
            seconds, publish_seconds, mode, peak_bytes (of the process so far), snapshot.

        Raises:
            SystemExit: It failed; what it said went to stderr.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(scope) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("The warm process failed.")
        told: dict[str, Any] = json.loads(answer)
        return told


@contextmanager
def warm(home: Path) -> Iterator[Warm]:
    """A process that refreshes the default database under a home."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm.py"))],
        cwd=ROOT, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Warm(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait()


def note(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)


def keep(section: str, figures: dict[str, Any]) -> None:
    """Keep what was measured under its section, with when and on what, and write the page anew."""
    from page import written

    kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    kept[section] = {"machine": machine(), "figures": figures}
    text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), json.dumps(kept, indent=1))
    FIGURES.write_text(text + "\n", encoding="utf-8")
    note(f"Wrote {written(kept).relative_to(ROOT)}")


def machine() -> dict[str, str]:
    """What this was measured on, and when."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("dbt-core", "dbt-duckdb", "duckdb")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "load": f"{os.getloadavg()[2]:.1f} processes on average over the last quarter of an hour",
    }
