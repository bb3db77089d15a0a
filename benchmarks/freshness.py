"""Measure how long a committed row takes to be published, and what refreshing costs whoever writes.

Run: make freshness, or make freshness RATES="10 100" DATABASES="sqlite-wal postgres" SECONDS=60. The figures go into
results.json and the page results.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
from measuring import GRACE, ROOT, Figure, environment, keep, note

sys.path.insert(0, str(ROOT / "tests" / "python"))

DATABASES = {
    "sqlite-wal": "SQLite, WAL",
    "sqlite-journal": "SQLite, rollback journal",
    "postgres": "PostgreSQL",
}
RATES = (10, 100, 1_000)
SECONDS = 40
CONTRACTS = 10_000
EVERY = "2s"
PATIENCE = 300.0  # seconds for a committed row to be published at all
# Where a new row is to be found: its table, the fact, and the column with its key.
FACTS = {
    "action_contracts": ("fact_verification_executions", "contract_id"),
    "mission_timelines": ("fact_mission_progress", "mission_id"),
    "benchmark_runs": ("fact_benchmark_runs", "benchmark_id"),
    "safe_hold_snapshots": ("fact_safe_hold_snapshots", "snapshot_id"),
    "playbook_runs": ("fact_playbook_runs", "playbook_run_id"),
    "playbook_step_runs": ("fact_playbook_steps", "step_run_id"),
    "healing_actions": ("fact_healing_actions", "healing_id"),
    "approval_requests": ("fact_approvals", "approval_id"),
    "governance_votes": ("fact_governance_votes", "vote_id"),
    "constitutional_compliance": ("fact_constitutional_compliance", "compliance_id"),
    "shard_heartbeats": ("fact_shard_heartbeats", "heartbeat_id"),
}

Row = tuple[str, str]  # table and key


def write(url: str, rate: float, seconds: float, seed: int) -> None:
    """The writer, a process of its own: its report and when each new row was committed, as JSON on stdout."""
    from grace_dbt.operational.url import OperationalUrl
    from grace_dbt.simulation.live import simulate_live

    committed: dict[Row, float] = {}

    def remember(table: str, key: object, at: float) -> None:
        committed.setdefault((table, str(key)), at)

    report = simulate_live(
        OperationalUrl.parse(url), rate=rate, seconds=seconds, rng_seed=seed, stop=threading.Event(),
        on_commit=remember,
    )  # fmt: skip
    rows = [(table, key, at) for (table, key), at in committed.items() if table in FACTS]
    json.dump({"report": asdict(report), "rows": rows}, sys.stdout)


def written(url: str, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """Run the writer to its end."""
    command = [sys.executable, __file__, "--write", url, str(rate), str(seconds), str(seed)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Watcher(threading.Thread):
    """Looks into every snapshot as soon as the pointer names it.

    Attributes:
        seen: When each row was first found published, in seconds since 1970.
        snapshots: How many snapshots were looked into.
    """

    def __init__(self, home: Path) -> None:
        """Take what is published already as known."""
        super().__init__(daemon=True)
        self._home = home / "snapshots"
        self._over = threading.Event()
        self._name = ""
        self.seen: dict[Row, float] = {}
        self.snapshots = 0
        self._look()
        self.snapshots = 0

    def run(self) -> None:
        """Look until it is over."""
        while not self._over.wait(0.02):
            self._look()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        try:
            name = json.loads((self._home / "current.json").read_text())["snapshot"]
        except FileNotFoundError:
            return
        if name == self._name:
            return
        now, self._name = time.time(), name
        self.snapshots += 1
        union = " union all ".join(
            f"select '{table}', cast({key} as varchar) from {fact}"
            for table, (fact, key) in FACTS.items()
        )
        with duckdb.connect(
            str(self._home / name), read_only=True, config={"threads": 1}
        ) as snapshot:
            for table, key in snapshot.execute(union).fetchall():
                self.seen.setdefault((table, key), now)


def measure(url: str, home: Path, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """One rate on one database: the writer alone, then beside a refresh that goes on."""
    alone = written(url, rate, seconds, seed)["report"]
    with refreshing(url, home):
        watcher = Watcher(home)
        watcher.start()
        beside = written(url, rate, seconds, seed + 1)
        rows = {(table, key): at for table, key, at in beside["rows"]}
        deadline = time.monotonic() + PATIENCE
        while not rows.keys() <= watcher.seen.keys() and time.monotonic() < deadline:
            time.sleep(0.1)
        watcher.stop()
    missing = rows.keys() - watcher.seen.keys()
    if missing:
        log = (home / "refresh.log").read_text()
        raise SystemExit(f"{len(missing)} rows were not published, e.g. {min(missing)}:\n{log}")
    waits = sorted(watcher.seen[row] - at for row, at in rows.items())
    found = {
        "alone": alone,
        "beside": beside["report"],
        "rows": len(waits),
        "snapshots": watcher.snapshots,
        "p50": waits[len(waits) // 2],
        "p95": waits[len(waits) * 95 // 100],
        "longest": waits[-1],
    }
    note(f"{rate:8g} rows/s: freshness p50 {found['p50']:.2f} s, p95 {found['p95']:.2f} s")
    return found


@contextmanager
def refreshing(url: str, home: Path) -> Iterator[None]:
    """A refresh that goes on, which has looked once before the body begins."""
    log = home / "refresh.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*GRACE, "refresh", "--db", url, "--every", EVERY],
            cwd=ROOT, env=environment(home), stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    vitals = home / "schedule.json"
    vitals.unlink(missing_ok=True)
    try:
        while not _has_looked(vitals):
            if process.poll() is not None:
                raise SystemExit(f"The refresh ended:\n{log.read_text()}")
            time.sleep(0.1)
        yield
        if process.poll() is not None:
            raise SystemExit(f"The refresh ended:\n{log.read_text()}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait()


def _has_looked(vitals: Path) -> bool:
    """Whether it has, in a file that is replaced as a whole."""
    try:
        return bool(json.loads(vitals.read_text())["checked_at"])
    except FileNotFoundError:
        return False


@contextmanager
def prepared(name: str, folder: Path, contracts: int) -> Iterator[tuple[str, Path]]:
    """A database with a history, by its URL, and a home of its own."""
    home = folder / name
    home.mkdir()
    with contextlib.ExitStack() as stack:
        if name == "postgres":
            from servers import postgres_server

            server = stack.enter_context(postgres_server())
            url = server.create("grace").url
        else:
            url = f"sqlite:///{home / 'operational.sqlite'}"
        Figure.of(f"init {name}", (*GRACE, "init", "--db", url), home)
        history = ("simulate", "--db", url, "--contracts", str(contracts))
        Figure.of(f"simulate {name}", (*GRACE, *history), home)
        if name == "sqlite-wal":
            with closing(sqlite3.connect(home / "operational.sqlite")) as connection:
                connection.execute("pragma journal_mode = wal")
        yield url, home


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        url, *numbers = asked.write
        rate, seconds, seed = map(float, numbers)
        write(url, rate, seconds, int(seed))
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="grace-freshness-") as folder:
        for name in asked.databases:
            note(f"--- {DATABASES[name]}")
            with prepared(name, Path(folder), asked.contracts) as (url, home):
                by_rate = found[DATABASES[name]] = {}
                for number, rate in enumerate(asked.rates):
                    by_rate[f"{rate:g}"] = measure(url, home, rate, asked.seconds, 10 * number)
                    keep("freshness", found)


if __name__ == "__main__":
    main()
