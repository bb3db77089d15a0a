"""Measure the commands that people wait for, as whole processes, and write the figures to results.md.

Run: make bench. Nothing here is a test: a busy machine measures longer and fails nothing.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results.md")
GRACE = (sys.executable, "-m", "grace_dbt")
DBT = (sys.executable, "-m", "dbt.cli.main")
# Bytes a unit of ru_maxrss.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


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
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))}
        with tempfile.TemporaryFile("w+") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**clean, "GRACE_HOME": str(home)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                output.seek(0)
                raise SystemExit(f"{name} failed:\n{output.read()}")
        cpu_seconds = usage.ru_utime + usage.ru_stime
        return cls(name, seconds, cpu_seconds, usage.ru_maxrss * RSS_UNIT)


def measure(home: Path) -> list[Figure]:
    """All figures, in the order of a first day: help, embedded build, then a live database with 10,000 contracts."""
    for folder in ("embedded", "live", "million"):
        (home / folder).mkdir()
    places = ("--target-path", str(home / "target"), "--log-path", str(home / "logs"))
    history = ("simulate", "--days", "30", "--contracts", "10000", "--rng-seed", "7")
    steps = (
        ("grace-dbt --help", (*GRACE, "--help"), "live"),
        ("dbt build, nothing parsed before", (*DBT, "build", *places), "embedded"),
        ("dbt build again", (*DBT, "build", *places), "embedded"),
        ("grace-dbt init", (*GRACE, "init"), "live"),
        ("grace-dbt init again, nothing to create", (*GRACE, "init"), "live"),
        ("grace-dbt simulate, 10,000 contracts", (*GRACE, *history), "live"),
        ("grace-dbt init, for a million", (*GRACE, "init"), "million"),
        (
            "grace-dbt simulate, 1,000,000 contracts",
            (*GRACE, "simulate", "--contracts", "1000000"),
            "million",
        ),
        ("grace-dbt refresh, the first", (*GRACE, "refresh"), "live"),
        ("grace-dbt refresh again, nothing changed", (*GRACE, "refresh"), "live"),
    )
    figures = []
    for name, command, folder in steps:
        runs = [
            Figure.of(name, command, home / folder) for _ in range(5 if "--help" in command else 1)
        ]
        figures.append(sorted(runs, key=lambda figure: figure.seconds)[len(runs) // 2])
        print(f"{figures[-1].seconds:8.2f} s  {name}", file=sys.stderr)
    return figures


def page(figures: list[Figure]) -> str:
    """The results as a page."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("dbt-core", "dbt-duckdb", "duckdb"))
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Measured",
        "",
        "Written by `make bench`: whole processes, from start to end; one run each, the middle of five for `--help`.",
        "",
        f"- Machine: {machine}",
        f"- Versions: {versions}",
        "",
        "| command | seconds | CPU seconds | peak memory |",
        "|---|---:|---:|---:|",
    ]
    for f in figures:
        lines.append(
            f"| {f.name} | {f.seconds:.2f} | {f.cpu_seconds:.2f} | {f.peak_bytes / 2**20:.0f} MiB |"
        )
    aims = (
        "`dbt build` under 60 s on two cores; `grace-dbt --help` under 0.5 s; "
        "a million contracts simulated in under 120 s of CPU."
    )
    lines += ["", f"Aims: {aims}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        RESULTS.write_text(page(measure(Path(folder))), encoding="utf-8")
    print(f"Wrote {RESULTS.relative_to(ROOT)}", file=sys.stderr)
