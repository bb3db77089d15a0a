"""An installation that refreshes in processes of its own, to be killed and damaged, and who writes its rows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from cube_oracle.compare import TOLD_BY_EARLIER_REFRESHES, Published, assert_same
from cube_oracle.cube import Oracle
from cube_oracle.rows import benchmark, contract, insert
from warm_process import Channel, Warm

# As dbt's snapshots keep them; what Grace calls status is the final status there.
VERSION = "mission_id, mission_name, final_status, dbt_valid_from"


class Grace:
    """Writes operational rows the way Grace does: new ones, changed ones, and some that go."""

    def __init__(self, database: Path, seed: int, *, begun: bool = False) -> None:
        """Go on, or begin with a few rows."""
        self.database, self.chance, self.made = database, Random(seed), 1000 * begun
        if begun:
            return
        with closing(sqlite3.connect(database)) as connection, connection:
            for _ in range(4):
                self._mission(connection)
                self._contract(connection)
                self._contract(connection)
            self._healing(connection)
            insert(connection, "benchmark_runs", benchmark("b1", "contract:c2"))

    def go_on(self) -> None:
        """Some changes in one transaction, at least one of them of a kind that opens a version of a mission."""
        steps = [
            self._contract,
            self._status,
            self._status,
            self._healing,
            self._gone,
            self._mission,
        ]
        with closing(sqlite3.connect(self.database)) as connection, connection:
            self._rename(connection)
            for step in self.chance.sample(steps, 3):
                step(connection)

    def touch(self) -> None:
        """The smallest change: one new contract."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            self._contract(connection)

    def _contract(self, connection: sqlite3.Connection) -> None:
        self.made += 1
        mission = self._one(connection, "select mission_id from mission_timelines")
        row = contract(
            f"c{self.made}",
            triggered_by=f"mission:{mission}",
            tier=self.chance.choice(("tier_1", "tier_2", "tier_3", "tier_9")),
            created_at=str(datetime(2025, 11, 2) + timedelta(minutes=self.chance.randrange(1440))),
        )
        insert(connection, "action_contracts", row)

    def _mission(self, connection: sqlite3.Connection) -> None:
        self.made += 1
        values = (f"m{self.made}", f"Mission {self.made}", "2025-11-02 09:00:00")
        connection.execute(
            "insert into mission_timelines (mission_id, mission_name, started_at) values (?, ?, ?)",
            values,
        )

    def _rename(self, connection: sqlite3.Connection) -> None:
        self.made += 1
        mission = self._one(connection, "select mission_id from mission_timelines")
        status = self.chance.choice(("in_progress", "paused", "failed"))
        connection.execute(
            "update mission_timelines set mission_name = ?, status = ? where mission_id = ?",
            [f"Renamed {self.made}", status, mission],
        )

    def _status(self, connection: sqlite3.Connection) -> None:
        status = self.chance.choice(("verified", "failed", "rolled_back"))
        key = self._one(connection, "select id from action_contracts")
        connection.execute("update action_contracts set status = ? where id = ?", [status, key])

    def _healing(self, connection: sqlite3.Connection) -> None:
        self.made += 1
        connection.execute(
            "insert into healing_actions (component, action, result, created_at)"
            " values (?, 'restart', 'success', '2025-11-02 09:00:00')",
            [f"component_{self.made}"],
        )

    def _gone(self, connection: sqlite3.Connection) -> None:
        key = self._one(connection, "select id from action_contracts")
        connection.execute("delete from action_contracts where id = ?", [key])

    def _one(self, connection: sqlite3.Connection, sql: str) -> Any:
        return self.chance.choice(connection.execute(sql).fetchall())[0]


class Installation:
    """A GRACE_HOME and the database that it follows, with all that was ever seen published there."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder, self.warm = folder, warm
        self.home, self.database = folder / "home", folder / "operational.sqlite"
        self.seen: dict[str, str] = {}
        self.outputs = 0

    @property
    def variables(self) -> dict[str, str]:
        url = f"sqlite:///{self.database}"
        return {"GRACE_HOME": str(self.home), "GRACE_OPERATIONAL_URL": url}

    # Processes

    def start(self, *arguments: str, **order: Any) -> Process:
        """Start a command in a process of its own."""
        self.outputs += 1
        output = self.folder / f"output-{self.outputs}"
        pid = self.warm.order(
            do="start",
            arguments=arguments,
            environment=self.variables,
            output=str(output),
            **order,
        )["pid"]
        return Process(self.warm, pid, output)

    def run(self, *arguments: str, **order: Any) -> Process:
        """Run a command to its end."""
        process = self.start(*arguments, **order)
        process.wait()
        return process

    def refresh(self) -> dict[str, Any]:
        """A refresh that nobody disturbs; its report."""
        done = self.run("refresh", "--json")
        assert done.code == 0, done.errors
        self.look()
        return dict(json.loads(done.output))

    # What everybody can see

    @property
    def pointer(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "snapshots" / "current.json").read_text()))

    @property
    def snapshot(self) -> Path:
        return self.home / "snapshots" / str(self.pointer["snapshot"])

    def look(self) -> dict[str, Any]:
        """The published snapshot opens, is whole, and is what its own record says."""
        pointer = self.pointer
        published = Published(self.snapshot)
        tables = published.every_table()
        counts = {t: published.query(f'select count(*) from "{t}"')[1][0][0] for t in tables}
        assert counts == pointer["rows"]
        [(executions,)] = published.query(
            "select sum(total_executions) from cube_verification_by_tier"
        )[1]
        assert executions == counts["fact_verification_executions"] > 0
        [run] = published.query(
            f"select status, snapshot from cube_etl_metadata where run_id = '{pointer['run_id']}'"
        )[1]
        assert run == ("succeeded", pointer["snapshot"])
        # One refresh made all of it.
        assert f"{published.run_clock():%Y%m%dT%H%M%S.%fZ}" == pointer["run_id"]
        self.seen[pointer["run_id"]] = pointer["snapshot"]
        return pointer

    def runs(self) -> list[dict[str, Any]]:
        """What `grace-dbt runs` says, the newest first."""
        done = self.run("runs", "--json", "--limit", "1000")
        assert done.code == 0, done.errors
        return list(json.loads(done.output))

    def assert_no_run_lies(self, *, killed: bool = False) -> None:
        """What the log says of each run is what was seen of it.

        Args:
            killed: Whether the last one was killed just now, and no other has begun since.
        """
        runs = self.runs()
        for place, run in enumerate(runs):
            was_published = run["run_id"] in self.seen
            if killed and place == 0 and run["status"] == "running":
                continue
            assert (run["status"] == "succeeded") == was_published, run
            assert run["status"] in ("succeeded", "unchanged", "failed", "interrupted"), run
            assert run["snapshot"] == self.seen.get(run["run_id"]), run
            if run["status"] != "interrupted":
                assert run["ended_at"], run
            if was_published:
                assert run["rows_by_model"]["fact_verification_executions"] > 0, run
            assert bool(run["error_message"]) == (run["status"] in ("failed", "interrupted")), run
        known = {run["run_id"] for run in runs}
        assert known >= self.seen.keys()

    def versions(self) -> list[tuple[Any, ...]]:
        """The versions of missions that the build holds, as a program finds them that comes after a crash."""
        aside = self.folder / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for file in self.home.glob("build.duckdb*"):
            shutil.copy(file, aside)
        with duckdb.connect(str(aside / "build.duckdb")) as connection:
            return connection.execute(
                f"select {VERSION}, dbt_valid_to from snapshots.snap_missions order by 1, 4"
            ).fetchall()

    def assert_converged(self, *before: tuple[Any, ...]) -> None:
        """The cube is what the rows ask for; the history is seamless, and holds what was recorded before.

        Args:
            before: Versions that were there before.
        """
        self.look()
        versions = self.versions()
        kept = {version[:4] for version in versions}
        assert len(kept) == len(versions)
        assert {version[:4] for version in before} <= kept
        for version, later in pairwise(versions):
            if version[0] == later[0]:
                assert version[4] == later[3], "a gap or an overlap"
                assert version[1:3] != later[1:3], "the same thing twice"
            else:
                assert version[4] is None
        self.assert_parity()

    def assert_parity(self) -> None:
        """Every table of the cube against its second definition, which is told what the refreshes found before."""
        oracle = Oracle()
        with duckdb.connect(str(self.home / "build.duckdb"), read_only=True) as connection:
            records = connection.execute(
                "select mission_id, dbt_valid_from, mission_name, mission_type, final_status, started_at, completed_at"
                " from snapshots.snap_missions order by 1, 2"
            ).fetchall()
            names = connection.execute("select component_name from snapshots.snap_components")
            oracle.names = {name for (name,) in names.fetchall()}
        for mission, clock, *state in records:
            row = dict(
                zip(
                    ("mission_name", "mission_type", "status", "started_at", "completed_at"),
                    state,
                    strict=True,
                )
            )
            oracle.missions.records.setdefault(mission, []).append((clock, row))
        expected = oracle.refresh(self.database, Published(self.snapshot).run_clock())
        empty = frozenset(table for table, rows in expected.tables.items() if not rows)
        assert len(expected.tables["fact_verification_executions"]) > 5
        assert_same(expected, self.snapshot, empty=empty, besides=TOLD_BY_EARLIER_REFRESHES)


class Process:
    """A command that runs in a process of its own."""

    def __init__(self, parent: Channel, pid: int, path: Path) -> None:
        """Know where it came from, and where it writes."""
        self.parent, self.pid, self.path = parent, pid, path
        self.code: int | None = None

    def wait(self) -> int:
        if self.code is None:
            self.code = self.parent.order(do="wait", pid=self.pid)["code"]
        return int(self.code or 0)

    def kill(self) -> int:
        """Kill it with all its children; what it ended with."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()

    def reached(self, words: str) -> bool:
        """Wait until it says something to people; false where it ended without."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if words in self.errors:
                return True
            if self.is_over():
                return words in self.errors
            time.sleep(0.005)
        pytest.fail(f"{words} never came:\n{self.errors}")

    def is_over(self) -> bool:
        """Whether it has ended; who started it has not asked yet."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    @property
    def home(self) -> Path:
        return self.path.parent / "home"

    @property
    def output(self) -> str:
        return self.path.read_text()

    @property
    def errors(self) -> str:
        path = self.path.with_name(f"{self.path.name}.err")
        return path.read_text() if path.exists() else ""
