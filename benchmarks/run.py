"""Measure what people wait for, and write results.json and the page results.md.

Run: make bench, or make bench SIZES="10000 100000" for other sizes than these and 1,000,000. Nothing here is a test of
time: a busy machine measures longer and fails nothing. It fails where a baseline does not give the same rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from baselines import require_equal
from measuring import GRACE, Figure, keep, middle, note, warm

SIZES = (10_000, 100_000, 1_000_000)
LOOP_UP_TO = 100_000  # contracts; the loop takes milliseconds for each
DBT = (sys.executable, "-m", "dbt.cli.main")
BASELINES = (sys.executable, str(Path(__file__).with_name("baselines.py")))
# Up to this size each pair is measured three times in turn, beyond once.
REPEATED_UP_TO = 100_000


def commands(home: Path) -> dict[str, Any]:
    """The commands of a first day, each as a whole process."""
    for folder in ("embedded", "live"):
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
        ("grace-dbt refresh, the first, nothing parsed before", (*GRACE, "refresh"), "live"),
        ("grace-dbt refresh again, nothing changed", (*GRACE, "refresh"), "live"),
    )
    found: dict[str, Any] = {}
    for name, command, folder in steps:
        runs = [
            Figure.of(name, command, home / folder) for _ in range(5 if "--help" in command else 1)
        ]
        run = sorted(runs, key=lambda figure: figure.seconds)[len(runs) // 2]
        found[name] = {
            "seconds": run.seconds, "cpu_seconds": run.cpu_seconds, "peak_bytes": run.peak_bytes
        }  # fmt: skip
    return found


class Bench:
    """One size: a home with a history of so many contracts."""

    def __init__(self, parsed: Path, home: Path, contracts: int, *, with_loop: bool) -> None:
        """Simulate; `parsed` is a home with an empty database, whose project is parsed."""
        shutil.copytree(parsed, home)
        self.home, self.contracts, self.with_loop = home, contracts, with_loop
        self.repeats = 3 if contracts <= REPEATED_UP_TO else 1
        self.database = home / "operational.sqlite"
        history = ("simulate", "--contracts", str(contracts), "--rng-seed", "7")
        made = Figure.of(f"simulate {contracts:,}", (*GRACE, *history), home)
        self.found: dict[str, Any] = {"simulate": made.seconds, "simulate_cpu": made.cpu_seconds}

    def measure(self) -> dict[str, Any]:
        """All figures of this size, in seconds and bytes."""
        self._full()
        with warm(self.home) as process:
            process.refresh()
            unchanged = [process.refresh() for _ in range(5)]
            self._expect("probe", unchanged)
            self.found["unchanged"] = middle([run["seconds"] for run in unchanged])
            self._changes(process)
            reconciled = process.refresh(reconcile=True)
            self.found["reconcile"] = reconciled["seconds"]
            self.found["warm_peak_bytes"] = reconciled["peak_bytes"]
        return self.found

    def _full(self) -> None:
        """Full builds and baselines in turn, each as a whole process; the rows are compared first."""
        first = Figure.of("refresh, the first", (*GRACE, "refresh"), self.home)
        self._baseline("floor")
        full, floor = [first], []
        for number in range(self.repeats):
            floor.append(self._baseline("floor"))
            if number or self.repeats == 1:
                full.append(Figure.of("refresh --full", (*GRACE, "refresh", "--full"), self.home))
        self.found |= {
            "full": middle([run.seconds for run in full]),
            "full_cpu": middle([run.cpu_seconds for run in full]),
            "full_peak_bytes": max(run.peak_bytes for run in full),
            "floor": middle([run.seconds for run in floor]),
            "floor_cpu": middle([run.cpu_seconds for run in floor]),
        }
        if self.with_loop:
            loop = self._baseline("loop")
            self.found |= {"loop": loop.seconds, "loop_cpu": loop.cpu_seconds}
        rows = json.loads((self.home / "snapshots" / "current.json").read_text())["rows"]
        self.found["fact_rows"] = sum(
            count for name, count in rows.items() if name.startswith("fact_")
        )

    def _changes(self, process: Any) -> None:
        """1 % of the contracts changed, and one row, each with the floor over the whole in turn."""
        changed, floor = [], []
        for number in range(self.repeats):
            change(self.database, self.contracts, number)
            run = process.refresh()
            floor.append(self._baseline("floor"))
            changed.append(run)
        self._expect("incremental", changed)
        self.found |= {
            "changed": middle([run["seconds"] for run in changed]),
            "publish": middle([run["publish_seconds"] for run in changed]),
            "changed_floor": middle([run.seconds for run in floor]),
        }
        single = []
        for _ in range(3):
            with closing(sqlite3.connect(self.database)) as connection, connection:
                connection.execute(
                    "insert into healing_actions (component, action, result, created_at)"
                    " values ('api', 'restart', 'success', datetime('now'))"
                )
            single.append(process.refresh())
        self._expect("incremental", single)
        self.found["one_row"] = middle([run["seconds"] for run in single])

    def _baseline(self, way: str) -> Figure:
        """One run of a baseline, whose rows have to be those that are published."""
        result = self.home / f"{way}.duckdb"
        result.unlink(missing_ok=True)
        figure = Figure.of(way, (*BASELINES, way, str(self.database), str(result)), self.home)
        snapshot = json.loads((self.home / "snapshots" / "current.json").read_text())["snapshot"]
        require_equal(self.home / "snapshots" / snapshot, result)
        return figure

    @staticmethod
    def _expect(mode: str, runs: list[dict[str, Any]]) -> None:
        """Fail where something else was measured than what is said."""
        modes = {run["mode"] for run in runs}
        if modes != {mode}:
            raise SystemExit(f"A refresh was expected to be {mode}, and was {', '.join(modes)}.")


def change(database: Path, contracts: int, number: int) -> None:
    """Change 1 % of the contracts: nine in ten are rolled back after their verification, the others are new."""
    undone, new = max(1, contracts * 9 // 1_000), max(1, contracts // 1_000)
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("pragma table_info(action_contracts)")]
        connection.execute(
            "update action_contracts set status = 'rolled_back', verification_result ="
            " json_set(verification_result, '$.error', 'regression reported after verification')"
            " where rowid in (select rowid from action_contracts where status = 'verified'"
            " order by (rowid * 7919) % 1000003 limit ?)",
            (undone,),
        )
        others = ", ".join(name for name in columns if name not in ("id", "created_at"))
        connection.execute(
            f"insert into action_contracts (id, created_at, {others})"
            f" select id || '_{number}', datetime('now'), {others} from action_contracts order by rowid limit ?",
            (new,),
        )
    time.sleep(0.1)  # so that the file is not younger than the look at it


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=None, help="contracts")
    parser.add_argument("--loop-always", action="store_true", help="run the loop at every size")
    parser.add_argument("--only-sizes", action="store_true", help="leave out the single commands")
    asked = parser.parse_args()
    sizes = asked.sizes or SIZES
    with tempfile.TemporaryDirectory(prefix="grace-bench-") as folder:
        home = Path(folder)
        if not asked.only_sizes:
            keep("commands", commands(home))
        parsed = home / "parsed"
        parsed.mkdir()
        Figure.of("init", (*GRACE, "init"), parsed)
        Figure.of("parse", (*GRACE, "build", "--select", "tiers"), parsed)
        (parsed / "build.duckdb").unlink(missing_ok=True)
        found: dict[str, Any] = {}
        for size in sizes:
            note(f"--- {size:,} contracts")
            place = home / f"size-{size}"
            with_loop = asked.loop_always or size <= LOOP_UP_TO
            found[str(size)] = Bench(parsed, place, size, with_loop=with_loop).measure()
            keep("sizes", found)
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
