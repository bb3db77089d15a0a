"""The page results.md, from the figures of results.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import median
from typing import Any

PAGE = Path(__file__).with_name("results.md")
Kept = dict[str, Any]
GROWING = {
    "full build": "full",
    "floor": "floor",
    "1 % changed": "changed",
    "reconcile": "reconcile",
    "publish": "publish",
    "peak memory of a full build": "full_peak_bytes",
}
# What a metric is cut by, as the page tells it.
KINDS = {
    "total": "nothing",
    "slice": "slice",
    "day": "slice and day",
    "rolling": "slice and day, rolling",
}


def written(kept: Kept) -> Path:
    """Write the page; its path."""
    sections: dict[str, Callable[[Kept], Iterator[str]]] = {
        "commands": _commands, "sizes": _sizes, "freshness": _freshness, "audit": _audit,
        "metrics": _metrics,
    }  # fmt: skip
    lines = [
        "# Measured",
        "",
        "Written by `make bench`, `make freshness`, `make bench-audit` and `make bench-metrics`; `README.md` says how,",
        "`results.json` has the figures.",
    ]
    for name, section in sections.items():
        if name in kept:
            told = kept[name]
            lines += ["", *section(told["figures"]), "", *_machine(told["machine"])]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return PAGE


def _machine(told: dict[str, str]) -> Iterator[str]:
    yield f"On {told['date']}: {told['machine']}; {told['versions']}; {told['load']}."


def _commands(found: Kept) -> Iterator[str]:
    yield from (
        "## Commands",
        "",
        "Whole processes, from start to end; one run each, the middle of five for `--help`.",
        "",
        "| command | seconds | CPU seconds | peak memory |",
        "|---|---:|---:|---:|",
    )
    for name, run in found.items():
        yield f"| {name} | {run['seconds']:.2f} | {run['cpu_seconds']:.2f} | {_mib(run['peak_bytes'])} |"
    yield ""
    yield "Aims: `dbt build` under 60 s on two cores; `grace-dbt --help` under 0.5 s."


def _sizes(found: Kept) -> Iterator[str]:
    rows: tuple[tuple[str, Callable[[Kept], str]], ...] = (
        ("full build, a process", lambda f: _seconds(f["full"])),
        ("- CPU seconds", lambda f: _seconds(f["full_cpu"])),
        ("- rows of facts a second", lambda f: f"{f['fact_rows'] / f['full']:,.0f}"),
        ("- peak memory", lambda f: _mib(f["full_peak_bytes"])),
        ("floor, a process", lambda f: _seconds(f["floor"])),
        ("- CPU seconds", lambda f: _seconds(f["floor_cpu"])),
        ("- full build / floor", lambda f: f"{f['full'] / f['floor']:.1f}"),
        ("row-by-row loop, a process", lambda f: _seconds(f.get("loop"))),
        ("- CPU seconds", lambda f: _seconds(f.get("loop_cpu"))),
        ("- loop / full build", lambda f: f"{f['loop'] / f['full']:.1f}" if "loop" in f else ""),
        ("1 % of the contracts changed, warm", lambda f: _seconds(f["changed"])),
        ("- of that to publish", lambda f: _seconds(f["publish"])),
        ("- floor over the whole, a process", lambda f: _seconds(f["changed_floor"])),
        ("one row of one table changed, warm", lambda f: _seconds(f["one_row"])),
        ("nothing changed, warm", lambda f: _seconds(f["unchanged"])),
        ("reconcile, warm", lambda f: _seconds(f["reconcile"])),
        ("peak memory of the warm process", lambda f: _mib(f["warm_peak_bytes"])),
    )
    sizes = sorted(map(int, found))
    yield from (
        "## Refresh by size",
        "",
        "Made-up histories of so many action contracts on SQLite. Full builds and changes of 1 % are measured in turn",
        "with the baselines, up to 100,000 contracts three times, of which the middle one counts. No time counts",
        "unless the baseline has the same rows of `fact_verification_executions`, all columns, as the snapshot; else",
        "the run fails. Floor and loop make this one fact; a refresh makes the whole cube, checks it and publishes it.",
        "",
        f"| contracts | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|---|{'---:|' * len(sizes)}",
    )
    for name, cell in rows:
        yield f"| {name} | {' | '.join(cell(found[str(size)]) for size in sizes)} |"
    if len(sizes) > 1:
        yield ""
        yield from _growth(found, sizes)
    yield ""
    yield from _targets(found)


def _growth(found: Kept, sizes: list[int]) -> Iterator[str]:
    """1 is in proportion; below, the fixed cost still shows."""
    yield "How a time grows: the exponent between two sizes, where 1 means in proportion."
    yield ""
    yield f"| from, to | {' | '.join(f'{a:,} to {b:,}' for a, b in pairwise(sizes))} |"
    yield f"|---|{'---:|' * (len(sizes) - 1)}"
    for name, key in GROWING.items():
        cells = (
            f"{log(found[str(b)][key] / found[str(a)][key]) / log(b / a):.2f}"
            for a, b in pairwise(sizes)
        )
        yield f"| {name} | {' | '.join(cells)} |"


def _targets(found: Kept) -> Iterator[str]:
    yield "| target | measured | met |"
    yield "|---|---:|---|"
    million, hundred = found.get("1000000"), found.get("100000")
    ten = found.get("10000000")
    largest = found[str(max(map(int, found)))]
    rows: tuple[tuple[str, Kept | None, Callable[[Kept], float], float, bool], ...] = (
        ("full build within 3 times the floor, at 1,000,000", million, lambda f: f["full"] / f["floor"], 3.0, False),
        ("full build 60 times faster than the loop, at 100,000", hundred, lambda f: f["loop"] / f["full"], 60.0, True),
        ("1 % of 1,000,000 changed under 5 s, warm", million, lambda f: f["changed"], 5.0, False),
        ("nothing changed under 0.2 s, warm, at the largest size", largest, lambda f: f["unchanged"], 0.2, False),
        ("one changed source under 3 s, warm, at the largest size", largest, lambda f: f["one_row"], 3.0, False),
        ("peak memory under 1.5 GB at 10,000,000, in GB", ten,
         lambda f: max(f["full_peak_bytes"], f["warm_peak_bytes"]) / 1e9, 1.5, False),
    )  # fmt: skip
    for name, figures, value, bound, at_least in rows:
        if figures is None:
            yield f"| {name} | | not measured |"
            continue
        found_value = value(figures)
        met = found_value >= bound if at_least else found_value <= bound
        yield f"| {name} | {found_value:.2f} | {'yes' if met else 'no'} |"


def _freshness(found: Kept) -> Iterator[str]:
    yield from (
        "## Freshness",
        "",
        "The writer of `simulate --live` writes to a database with a history, each row in its own transaction, while",
        "`grace-dbt refresh --every 2s` runs. Freshness is the time from the commit of a new row to the snapshot that",
        "holds it, found by looking into every snapshot. The writer's commits are measured without the refresh, then",
        "with it; a transaction that met a lock for a second was begun again. PostgreSQL runs without fsync.",
        "",
        "| database | rows/s asked | written | snapshots | freshness p50 | p95 | longest"
        " | commit alone p50 / p95 | with refresh p50 / p95 | begun again |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    )
    for name, by_rate in found.items():
        for rate, run in by_rate.items():
            alone, beside = run["alone"], run["beside"]
            yield (
                f"| {name} | {rate} | {beside['achieved_rate']:,.0f} | {run['snapshots']} |"
                f" {_seconds(run['p50'])} s | {_seconds(run['p95'])} s | {_seconds(run['longest'])} s |"
                f" {alone['commit_p50_ms']:g} / {alone['commit_p95_ms']:g} ms |"
                f" {beside['commit_p50_ms']:g} / {beside['commit_p95_ms']:g} ms | {beside['retries']} |"
            )


def _audit(found: Kept) -> Iterator[str]:
    yield from (
        "## Verifying audit chains",
        "",
        "Chains of so many entries in a DuckDB file, each way in a process of its own, in turn; up to 1,000,000",
        "entries three times, of which the middle one counts. Verifying is `grace-dbt audit verify` with dbt started",
        "and the project parsed. The floor is DuckDB's `sum` over `sha256` of the same bytes; the loop is Python, row",
        "by row. No time counts unless all agree on the chain.",
        "",
        "| chain | entries | verify, s | entries a second | peak memory | floor, s | verify / floor | loop, s |"
        " loop / verify |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    )
    for chain, sizes in found.items():
        for size, ways in sizes.items():
            verify, loop, floor = ways["verify"], ways["loop"], ways.get("floor")
            cells = [
                f"`{chain}`", f"{int(size):,}", _seconds(verify["seconds"]),
                f"{verify['entries_per_second']:,.0f}", _mib(verify["peak_bytes"]),
                _seconds(floor["seconds"] if floor else None),
                f"{verify['seconds'] / floor['seconds']:.2f}" if floor else "",
                _seconds(loop["seconds"]), f"{loop['seconds'] / verify['seconds']:.2f}",
            ]  # fmt: skip
            yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Aims at 1,000,000 entries: 10 times the loop, within 1.5 times the floor, memory bounded."


def _metrics(found: Kept) -> Iterator[str]:
    sizes = sorted(found, key=int)
    yield from (
        "## Asking for metrics",
        "",
        "Snapshots of so many executions over 90 days, with all that a history has beside them. A question is asked of",
        "`grace_dbt.metrics` with a pinned snapshot and its SQL compiled before, and written by hand in SQL for DuckDB",
        "with the same settings, in turn, in one process; the middle of 15 times from a rollup, of 7 from a fact (of 5",
        "beyond 5,000,000). No time counts unless both have the same rows, floats to nine digits. Milliseconds.",
        "",
        f"| | {' | '.join(f'{int(size):,}' for size in sizes)} |",
        f"|---|{'---:|' * len(sizes)}",
    )
    rows: tuple[tuple[str, Callable[[Kept], str]], ...] = (
        ("new process: `import grace_dbt.metrics`", lambda f: _ms(f["imports"]["package"] * 1e3)),
        ("- import of all that answers", lambda f: _ms(f["imports"]["query_path"] * 1e3)),
        ("- a first answer from a rollup, SQL kept on disk", lambda f: _ms(f["imports"]["first_answer_kept"] * 1e3)),
        ("- a first answer, SQL to be compiled", lambda f: _ms(f["imports"]["first_answer"] * 1e3)),
        ("- of that to import MetricFlow", lambda f: _ms(f["imports"]["metricflow"] * 1e3)),
        ("compile: MetricFlow, middle / longest", lambda f: _compiled(f, "cold")),
        ("- read from disk", lambda f: _compiled(f, "disk")),
        ("- kept in the process", lambda f: _compiled(f, "memory")),
        ("peak memory of all questions, asked / by hand",
         lambda f: f"{_mib(f['peak_bytes']['asked'])} / {_mib(f['peak_bytes']['by_hand'])}"),
    )  # fmt: skip
    for name, cell in rows:
        yield f"| {name} | {' | '.join(cell(found[size]) for size in sizes)} |"
    for size in sizes:
        yield ""
        yield from _ways(int(size), _runs(found[size]))
    yield ""
    yield from _metric_targets(found)
    yield ""
    yield from _each_metric(int(sizes[-1]), _runs(found[sizes[-1]]))


def _runs(found: Kept, place: int = 0) -> list[Kept]:
    """The questions of one size, each with its middle times (place 0) or its least (1)."""
    return [
        {
            "metric": metric,
            "path": path,
            "kind": kind,
            **{way: ms[place] for way, ms in ways.items()},
        }
        for metric, paths in found["runs"].items()
        for path, kinds in paths.items()
        for kind, ways in kinds.items()
    ]


def _ways(size: int, runs: list[Kept]) -> Iterator[str]:
    """All metrics of one size, by where they are read from and what they are cut by."""
    yield f"| {size:,}: from, cut by | metrics | asked, middle | longest | by hand | ratio | largest | not pinned |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for path in ("rollup", "fact"):
        for kind, told in KINDS.items():
            some = [run for run in runs if (run["path"], run["kind"]) == (path, kind)]
            if not some:
                continue
            slowest = max(some, key=lambda run: run["asked"])
            worst = max(some, key=_ratio)
            cells = [
                f"{path}, {told}", str(len(some)), _ms(median(run["asked"] for run in some)),
                f"{_ms(slowest['asked'])} `{slowest['metric']}`", _ms(median(run["by_hand"] for run in some)),
                f"{median(map(_ratio, some)):.2f}", f"{_ratio(worst):.2f} `{worst['metric']}`",
                _ms(median(run["plain"] for run in some)) if path == "rollup" else "",
            ]  # fmt: skip
            yield f"| {' | '.join(cells)} |"


def _metric_targets(found: Kept) -> Iterator[str]:
    """How many questions meet a target, and which don't."""
    yield "| target | at | met by | at their least | missed by |"
    yield "|---|---:|---:|---:|---|"
    rows: tuple[tuple[str, str, Callable[[Kept], bool]], ...] = (
        ("from a rollup under 15 ms", "rollup", lambda run: bool(run["asked"] < 15)),
        (
            "from a rollup within 1.5 times the SQL by hand",
            "rollup",
            lambda run: _ratio(run) <= 1.5,
        ),
        ("from facts under 300 ms", "fact", lambda run: bool(run["asked"] < 300)),
    )
    for size in sorted(found, key=int):
        for name, path, meets in rows:
            middle, least = (
                [run for run in _runs(found[size], place) if run["path"] == path]
                for place in (0, 1)
            )
            missed = [run for run in middle if not meets(run)]
            told = _missed(missed) if missed else ""
            counts = f"{len(middle) - len(missed)} of {len(middle)} | {sum(map(meets, least))}"
            yield f"| {name} | {int(size):,} | {counts} | {told} |"
    for size in sorted(found, key=int):
        seconds = found[size]["imports"]["query_path"]
        yield f"| import under 1 s | {int(size):,} | {'1' if seconds < 1 else '0'} of 1 | | |"


def _missed(runs: list[Kept]) -> str:
    """Which questions missed a target: their names, or how many of each cut where they are many."""
    if len(runs) <= 12:
        return ", ".join(f"`{run['metric']}` {KINDS[run['kind']]}" for run in runs)
    kinds = [run["kind"] for run in runs]
    return ", ".join(f"{kinds.count(k)} {told}" for k, told in KINDS.items() if k in kinds)


def _each_metric(size: int, runs: list[Kept]) -> Iterator[str]:
    """Each metric by slice and day, or rolling: from its rollup and from facts."""
    yield f"Each metric at {size:,}, by slice and day: asked / by hand."
    yield ""
    yield "| metric | from its rollup | from facts | facts, in total |"
    yield "|---|---:|---:|---:|"
    by_place = {(run["metric"], run["path"], run["kind"]): run for run in runs}
    for metric in dict.fromkeys(run["metric"] for run in runs):
        daily = [
            by_place.get((metric, path, "day")) or by_place.get((metric, path, "rolling"))
            for path in ("rollup", "fact")
        ]
        total = by_place.get((metric, "fact", "total"))
        yield f"| `{metric}` | {' | '.join(map(_both, (*daily, total)))} |"


def _both(run: Kept | None) -> str:
    return f"{_ms(run['asked'])} / {_ms(run['by_hand'])}" if run else ""


def _ratio(run: Kept) -> float:
    return float(run["asked"] / run["by_hand"])


def _compiled(found: Kept, how: str) -> str:
    told = found["compile"][how]
    return f"{_ms(told['middle'])} / {_ms(told['longest'])}"


def _ms(value: float) -> str:
    digits = 3 if value < 0.1 else 1 if value < 10 else 0
    return f"{value:,.{digits}f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
