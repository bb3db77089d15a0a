"""Measure how fast an audit chain is verified, against a loop in Python and against the hashing alone.

Run: make bench-audit, or make bench-audit SIZES="10000 1000000" for other sizes than these and 10,000,000. Each figure
is that of a process of its own, from opening the database to the verdict. It fails where the ways don't agree.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from measuring import RSS_UNIT, environment, keep, middle, note

SIZES = (10_000, 1_000_000, 10_000_000)
REPEATED_UP_TO = 1_000_000
JOURNAL_UP_TO = 1_000_000  # entries; what takes the time there is Python, which grows as they do
ZEROS, GENESIS = "0" * 64, "genesis"
JOURNAL = (
    "entry_id category data_json transparency_level timestamp hash previous_hash chain_hash"
    " chain_position"
)
SEALED = ("sequence", "actor", "action", "resource", "payload", "result", "previous_hash")


def write_log(path: Path, entries: int) -> str:
    """Write an immutable log into a new DuckDB database, as Grace seals it; the hash of its head."""
    previous = ZEROS

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal previous
        for number in range(1, entries + 1):
            payload = json.dumps({
                "contract_id": f"contract-{number:08d}", "confidence": number % 997 / 997,
                "steps": [number % 7, number % 11], "note": "verified by benchmark",
            })  # fmt: skip
            said = (
                f"agent:shard_{number % 16}",
                f"verification.{number % 23}",
                f"contract/{number}",
            )
            sealed = ":".join((str(number), *said, payload, "success", previous))
            entry = sha256(sealed.encode()).hexdigest()
            yield (
                number, number, *said, "verification", payload, "success", entry, previous, _moment(number)
            )  # fmt: skip
            previous = entry

    columns = "id sequence actor action resource subsystem payload result entry_hash previous_hash timestamp"
    _write(path, "immutable_log", columns, ("id", "sequence"), rows())
    return previous


def write_journal(path: Path, entries: int) -> str:
    """Write an audit log of one segment, its JSON unsorted as Grace stores it; the hash of its head."""
    previous = GENESIS

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal previous
        for position in range(entries):
            data = {
                "action_type": f"kernel_{position % 23}", "logged_by": "governance_engine",
                "action_data": {"snapshot_id": f"govsnap_{position:08d}", "confidence": position % 997 / 997},
            }  # fmt: skip
            name, moment = f"governance_action_{position:010d}", _moment(position)
            entry = _content_hash(name, "governance_action", data, "democratic_oversight", moment)
            seal = sha256(f"{entry}:{previous}:{position}".encode()).hexdigest()
            yield (
                name, "governance_action", json.dumps(data), "democratic_oversight", moment, entry,
                previous, seal, position, True,
            )  # fmt: skip
            previous = seal

    _write(path, "audit_logs", f"{JOURNAL} verified", ("chain_position",), rows())
    return previous


def _content_hash(name: str, category: str, data: object, level: str, moment: str) -> str:
    content = {
        "category": category, "data": data, "entry_id": name, "timestamp": moment, "transparency_level": level,
    }  # fmt: skip
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _moment(number: int) -> str:
    return (datetime(2025, 1, 1) + timedelta(seconds=number)).isoformat(timespec="microseconds")


def _write(
    path: Path,
    table: str,
    names: str,
    integers: Collection[str],
    rows: Iterable[tuple[object, ...]],
) -> None:
    import duckdb

    text = path.with_suffix(".csv")
    with text.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    columns = ", ".join(
        f'"{name}" {"bigint" if name in integers else "varchar"}' for name in names.split()
    )
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table {table} ({columns})")
        connection.execute(f"copy {table} from '{text}' (format csv, header false)")
    text.unlink()


def walk_log(path: Path) -> dict[str, Any]:
    """Walk an immutable log row by row."""
    previous, position = ZEROS, 0
    for *fields, before, entry in _read(path, "immutable_log", (*SEALED, "entry_hash"), "sequence"):
        position += 1
        sealed = ":".join(map(str, (*fields, before)))
        if (fields[0], before) != (position, previous) or sha256(
            sealed.encode()
        ).hexdigest() != entry:
            return {"head": None, "entries": position}
        previous = entry
    return {"head": previous, "entries": position}


def walk_journal(path: Path) -> dict[str, Any]:
    """Walk an audit log row by row."""
    previous, expected = GENESIS, 0
    for name, category, data, level, moment, content, before, seal, position in _read(
        path, "audit_logs", JOURNAL.split(), "chain_position"
    ):
        intact = (
            (position, before) == (expected, previous)
            and _content_hash(name, category, json.loads(data), level, moment) == content
            and sha256(f"{content}:{before}:{position}".encode()).hexdigest() == seal
        )
        if not intact:
            return {"head": None, "entries": expected}
        previous, expected = seal, expected + 1
    return {"head": previous, "entries": expected}


def _read(path: Path, table: str, columns: Sequence[str], order: str) -> Iterator[Sequence[Any]]:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        cursor = connection.execute(f"select {', '.join(columns)} from {table} order by {order}")
        while rows := cursor.fetchmany(10_000):
            yield from rows


def floor(path: Path) -> dict[str, Any]:
    """Hash the same bytes and add up, nothing else: what no verification can be faster than."""
    import duckdb

    parts = ["cast(sequence as varchar)", *(f"coalesce({name}, 'None')" for name in SEALED[1:])]
    number = "cast('0x' || left({}, 15) as bigint)"
    with duckdb.connect(str(path), read_only=True) as connection:
        hashed = number.format(f"sha256({' || chr(58) || '.join(parts)})")
        query = f"select sum({hashed}), count(*) from immutable_log"
        began = time.perf_counter()
        [(total, entries)] = connection.execute(query).fetchall()
        seconds = time.perf_counter() - began
        [(stored,)] = connection.execute(
            f"select sum({number.format('entry_hash')}) from immutable_log"
        ).fetchall()
    return {"agrees": total == stored, "entries": entries, "seconds": seconds}


def verify(path: Path, chain: str) -> dict[str, Any]:
    """Verify as `grace-dbt audit verify` does, with dbt started and the project parsed."""
    from grace_dbt.audit.verify import verify_chains
    from grace_dbt.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.duckdb"
        {"immutable_log": write_log, "audit_logs": write_journal}[chain](empty, 1)
        verify_chains(Settings.load(f"duckdb:///{empty}"), (chain,), record_result=False)
    settings = Settings.load(f"duckdb:///{path}")
    began = time.perf_counter()
    [report] = verify_chains(settings, (chain,), record_result=False).chains
    return {
        "head": report.segments[0].head_hash if report.verdict == "intact" else None,
        "entries": report.entries,
        "seconds": time.perf_counter() - began,
    }


CHAINS: dict[str, dict[str, Callable[[Path], dict[str, Any]]]] = {
    "immutable_log": {
        "loop": walk_log,
        "floor": floor,
        "verify": lambda path: verify(path, "immutable_log"),
    },
    # What is hashed is JSON that only Python can spell: there is no floor of SQL.
    "audit_logs": {"loop": walk_journal, "verify": lambda path: verify(path, "audit_logs")},
}


def measured(chain: str, way: str, path: Path, home: Path) -> dict[str, Any]:
    """What a way gave in a process of its own, with seconds and the peak of its memory in bytes."""
    done = subprocess.run(
        [sys.executable, __file__, "--chain", chain, "--way", way, "--database", str(path)],
        env=environment(home), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _run(chain: str, way: str, path: Path) -> None:
    began = time.perf_counter()
    found = CHAINS[chain][way](path)
    found.setdefault("seconds", time.perf_counter() - began)
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    print(json.dumps(found))


def compare(chain: str, folder: Path, entries: int) -> dict[str, Any]:
    """All figures of one chain of one size, the ways measured in turn."""
    path = folder / f"{chain}_{entries}.duckdb"
    head = (write_log if chain == "immutable_log" else write_journal)(path, entries)
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in CHAINS[chain]}
    for _ in range(3 if entries <= REPEATED_UP_TO else 1):
        for way, found in runs.items():
            run = measured(chain, way, path, folder)
            agrees = run.get("agrees", run.get("head") == head)
            if run["entries"] != entries or not agrees:
                raise SystemExit(
                    f"{way} of {entries:,} entries does not agree with the chain: {run}"
                )
            found.append(run)
    path.unlink()
    figures = {}
    for way, several in runs.items():
        seconds = middle([run["seconds"] for run in several])
        figures[way] = {
            "seconds": seconds,
            "entries_per_second": entries / seconds,
            "peak_bytes": max(run["peak_bytes"] for run in several),
        }
    told = ", ".join(f"{way} {run['seconds']:.2f} s" for way, run in figures.items())
    note(f"{chain}, {entries:,}: {told}")
    return figures


def main() -> None:
    """Measure each size and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--chain", choices=CHAINS)
    parser.add_argument("--way", choices=("loop", "floor", "verify"))
    parser.add_argument("--database", type=Path)
    arguments = parser.parse_args()
    if arguments.way:
        _run(arguments.chain, arguments.way, arguments.database)
        return
    figures: dict[str, dict[str, Any]] = {chain: {} for chain in CHAINS}
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.sizes:
            for chain, found in figures.items():
                if chain == "audit_logs" and size > JOURNAL_UP_TO:
                    continue
                found[str(size)] = compare(chain, Path(folder), size)
    keep("audit", figures)


if __name__ == "__main__":
    main()
