"""Measure how long metrics take to answer, against the same questions written by hand in SQL.

Run: make bench-metrics, or make bench-metrics SIZES="1000000" for other numbers of facts than these and 10,000,000.
Both ways read the same snapshot in one process, in turn; no time counts unless their rows are the same.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from handwritten import ERRORS_PER_EXECUTION, ROLLING, TABLES, rolling
from measuring import GRACE, Figure, environment, keep, middle, note, peak_bytes
from multiplied import multiply

SIZES = (1_000_000, 10_000_000)
COPIED = 10_000  # contracts of the history that is copied
SPAN = timedelta(days=90)
ROLLUP_REPEATS, FACT_REPEATS, LARGE_FACT_REPEATS = 15, 7, 5
LARGE = 5_000_000
# A float agrees to nine digits.
TOLERANCE = 1e-9
SETTINGS: dict[str, Any] = {"memory_limit": "2GB", "threads": 2, "temp_directory": ""}
Cells = dict[tuple[Any, ...], Any]
# What a process does before it can answer; the seconds of each are told.
IMPORTS = {
    "package": "import grace_dbt.metrics",
    "query_path": "import grace_dbt.metrics.answering, grace_dbt.metrics.cubes, duckdb",
    "metricflow": "import metricflow.engine.metricflow_engine",
    "first_answer": "from grace_dbt import metrics; metrics.query('executions', by='tier', grain='day')",
}


@dataclass(frozen=True)
class Asked:
    """One question, both ways.

    Attributes:
        metric: Name.
        path: `rollup` or `fact`: where its answer is read from.
        kind: `total`, `slice`, `day` (by slice and day), or `rolling`.
        source: The table that it has to be read from.
        arguments: Of `metrics.query`.
        sql: As it is written by hand, with `$since` and `$until`; period, slice and value.
    """

    metric: str
    path: str
    kind: str
    source: str
    arguments: dict[str, Any]
    sql: str

    def by_hand(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        """The rows of the SQL that is written by hand."""
        window = {name: self.arguments[name] for name in ("since", "until")}
        return connection.execute(self.sql, window).fetchall()


def questions(as_of: datetime) -> Iterator[Asked]:
    """Every metric over the facts that are copied: over days that are whole, and over a window that begins later."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    whole: dict[str, Any] = {"since": midnight - SPAN, "until": midnight}
    # No rollup answers for a day that is not whole.
    within: dict[str, Any] = {"since": midnight - SPAN + timedelta(microseconds=1), "until": as_of}
    for table in TABLES:
        for metric in table.metrics():
            for kind in ("total", "slice", "day"):
                cut, by_day = kind != "total", kind == "day"
                more = {"grain": "day"} if by_day else {}
                word = {"by": table.word} if cut else {}
                sql = table.of_fact(metric, cut=cut, by_day=by_day)
                yield Asked(metric, "fact", kind, table.name, within | word | more, sql)
                rolled_up = table.of_rollup(metric, cut=cut, by_day=by_day)
                if rolled_up:
                    word = {"by": table.rollup_word} if cut else {}
                    yield Asked(
                        metric, "rollup", kind, table.rollup, whole | word | more, rolled_up
                    )
    for metric, (counted, _) in ROLLING.items():
        [table] = [table for table in TABLES if counted in table.measures]
        for path, source in (("fact", table.name), ("rollup", table.rollup)):
            by, sql = rolling(metric, rolled_up=path == "rollup")
            daily = {"by": by, "grain": "day"}
            yield Asked(metric, path, "rolling", source, whole | daily, sql)
    daily = {"grain": "day"}
    yield Asked(
        "errors_per_execution", "fact", "day", TABLES[0].name, within | daily, ERRORS_PER_EXECUTION
    )


class Compiling:
    """Takes the place of the function that has SQL compiled, and takes its time."""

    def __init__(self, compiled: Callable[..., Any]) -> None:
        """Keep the real one."""
        self.compiled = compiled
        self.arguments: tuple[Any, ...] = ()
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Do as the real one does."""
        began = time.perf_counter()
        found = self.compiled(*arguments)
        self.seconds, self.arguments = time.perf_counter() - began, arguments
        return found

    def again(self) -> float:
        """Seconds of the same once more."""
        self(*self.arguments)
        return self.seconds


def measure(home: Path, rows: int) -> dict[str, Any]:
    """All figures of one size."""
    from grace_dbt import metrics
    from grace_dbt.metrics import answering, sql_cache
    from grace_dbt.reading import open_snapshot

    compiling = Compiling(sql_cache.compiled)
    setattr(answering, "compiled", compiling)  # noqa: B010
    compiled: dict[str, list[float]] = {"cold": [], "disk": [], "memory": []}
    runs: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = {}
    few = LARGE_FACT_REPEATS if rows > LARGE else FACT_REPEATS
    with open_snapshot(home) as snapshot, connect(snapshot.path) as connection:
        as_of = snapshot.as_of.replace(tzinfo=None)
        metrics.query("executions", snapshot=snapshot, home=home)  # MetricFlow is there from now on
        for asked in questions(as_of):
            plain = partial(metrics.query, asked.metric, home=home, **asked.arguments)
            pinned, by_hand = partial(plain, snapshot=snapshot), partial(asked.by_hand, connection)
            require_same(asked, pinned(), by_hand())
            compiled["cold"].append(compiling.seconds)
            sql_cache.forget()
            compiled["disk"].append(compiling.again())
            compiled["memory"].append(compiling.again())
            ways: dict[str, Callable[[], Any]] = {"asked": pinned, "by_hand": by_hand}
            if asked.path == "rollup":
                ways["plain"] = plain
            repeats = ROLLUP_REPEATS if asked.path == "rollup" else few
            times = _in_turn(ways, repeats)
            by_path = runs.setdefault(asked.metric, {}).setdefault(asked.path, {})
            by_path[asked.kind] = times
            note(
                f"{asked.metric}, {asked.path}, {asked.kind}:"
                f" {', '.join(f'{way} {ms:.1f} ms' for way, (ms, _) in times.items())}"
            )
    setattr(answering, "compiled", compiling.compiled)  # noqa: B010
    return {
        "compile": {
            name: {"middle": middle(several) * 1e3, "longest": max(several) * 1e3}
            for name, several in compiled.items()
        },
        "runs": runs,
    }


def connect(snapshot: Path) -> duckdb.DuckDBPyConnection:
    """A connection as readers of snapshots have it, in a database of its own."""
    connection = duckdb.connect(config=SETTINGS)
    connection.execute(f"attach '{snapshot}' as cube (read_only)")
    connection.execute("use cube")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _in_turn(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each way: the middle of several, and the least; each has run before."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - began) * 1e3)
    return {
        name: [float(f"{ms:.4g}") for ms in (middle(several), min(several))]
        for name, several in times.items()
    }


def require_same(asked: Asked, answer: Any, rows: list[tuple[Any, ...]]) -> None:
    """Fail where both ways don't tell the same, or the metric was read from elsewhere.

    Raises:
        SystemExit: With what differs.
    """
    told = f"{asked.metric}, {asked.path}, {asked.kind}"
    if asked.source not in answer.sources[asked.metric]:
        raise SystemExit(f"{told}: read from {answer.sources[asked.metric]}")
    keys = [column.name for column in answer.columns if column.kind in ("period", "slice")]
    ours = {tuple(row[key] for key in keys): row[asked.metric] for row in answer.rows}
    theirs: Cells = {tuple(map(_moment, row[:-1])): row[-1] for row in rows}
    if not any(theirs.values()) or len(theirs) != len(rows):
        raise SystemExit(f"{told}: written by hand it has {len(rows)} rows that tell nothing")
    for key in ours.keys() | theirs.keys():
        # Where nothing happened a question by hand has no row.
        mine, other = ours.get(key) or None, theirs.get(key) or None
        if mine != other and not (mine and other and math.isclose(mine, other, rel_tol=TOLERANCE)):
            raise SystemExit(f"{told}: {key} is {mine}, and by hand {other}; no time counts")


def _moment(value: Any) -> Any:
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    return datetime(value.year, value.month, value.day) if is_day else value


def answer_all(home: Path, way: str) -> None:
    """Ask every question once, one of both ways; print the most memory that this process held."""
    from grace_dbt import metrics
    from grace_dbt.reading import open_snapshot

    with open_snapshot(home) as snapshot:
        as_of = snapshot.as_of.replace(tzinfo=None)
        connection = connect(snapshot.path) if way == "by_hand" else None
        for asked in questions(as_of):
            if connection is not None:
                asked.by_hand(connection)
            else:
                metrics.query(asked.metric, snapshot=snapshot, home=home, **asked.arguments)
    print(peak_bytes())


def imports(home: Path) -> dict[str, float]:
    """Seconds that a new process takes, the middle of five; a first answer with SQL to compile, and with it kept."""

    def seconds(statement: str) -> float:
        script = (
            f"import time; b = time.perf_counter(); {statement}; print(time.perf_counter() - b)"
        )
        return float(_output(("-c", script), home))

    found = {name: middle([seconds(IMPORTS[name]) for _ in range(5)]) for name in IMPORTS}
    found["first_answer_kept"] = found["first_answer"]
    compiled = []
    for _ in range(5):
        for file in (home / "cache" / "metrics").glob("*/*.json"):
            file.unlink()
        compiled.append(seconds(IMPORTS["first_answer"]))
    return {**found, "first_answer": middle(compiled)}


def _output(command: tuple[str, ...], home: Path) -> str:
    done = subprocess.run(
        (sys.executable, *command), env=environment(home), stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


def compare(small: Path, home: Path, size: int) -> dict[str, Any]:
    """All figures of one size: facts are copied until there are so many."""
    began = time.perf_counter()
    rows = multiply(small, home, size // COPIED)
    file = next((home / "snapshots").glob("snap-*.duckdb"))
    note(
        f"--- {rows:,} facts in {file.stat().st_size / 2**20:,.0f} MiB, {time.perf_counter() - began:.0f} s"
    )
    figures = {"imports": imports(home), **measure(home, rows)}
    figures["peak_bytes"] = {
        way: int(_output((__file__, "--home", str(home), "--way", way), home))
        for way in ("asked", "by_hand")
    }
    counts = json.loads((home / "snapshots" / "current.json").read_text())["rows"]
    return {**figures, "rows": {name: counts[name] for name in {table.name for table in TABLES}}}


def main() -> None:
    """Measure each size and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sizes", nargs="*", type=int, default=SIZES, help="facts, in steps of 10,000"
    )
    parser.add_argument("--home", type=Path)
    parser.add_argument("--way", choices=("asked", "by_hand"))
    parser.add_argument("--small", type=Path, help="a home of 10,000 contracts that was refreshed")
    arguments = parser.parse_args()
    if arguments.way:
        answer_all(arguments.home, arguments.way)
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="grace-bench-") as folder:
        small = arguments.small or Path(folder) / "small"
        if arguments.small is None:
            small.mkdir()
            history = ("simulate", "--contracts", str(COPIED), "--days", "30", "--rng-seed", "7")
            for name in (("init",), history, ("refresh",)):
                Figure.of(name[0], (*GRACE, *name), small)
        for size in arguments.sizes:
            figures[str(size)] = compare(small, Path(folder) / f"size-{size}", size)
            keep("metrics", figures)


if __name__ == "__main__":
    main()
