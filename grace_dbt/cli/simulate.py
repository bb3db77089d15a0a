"""`grace-dbt simulate`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say, to_people
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.moments import moment

if TYPE_CHECKING:
    from grace_dbt.operational.url import OperationalUrl
    from grace_dbt.settings import Settings
    from grace_dbt.simulation.live import LiveReport

ONLY_HISTORY = ("days", "contracts", "end")
ONLY_LIVE = ("rate", "seconds", "rows", "updates", "late")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    context: typer.Context,
    db: Database = None,
    days: Annotated[int, typer.Option(help="Length of the history in days.", min=1)] = 30,
    contracts: Annotated[int, typer.Option(help="Action contracts to write.", min=1)] = 10_000,
    rng_seed: Annotated[int, typer.Option(help="The same seed and end give the same rows.")] = 7,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the history ends, ISO 8601, UTC without an offset. Default: now.",
            show_default=False,
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Write as Grace does, with or without earlier rows, until --seconds, --rows, Ctrl-C or SIGTERM.",
        ),
    ] = False,
    rate: Annotated[
        float, typer.Option(help="With --live: rows a second, each in its own transaction.")
    ] = 10.0,
    seconds: Annotated[float | None, typer.Option(help="With --live: for how long.", min=0)] = None,
    rows: Annotated[int | None, typer.Option(help="With --live: how many rows.", min=1)] = None,
    updates: Annotated[
        float,
        typer.Option(help="With --live: share of the writes that change a row.", min=0, max=1),
    ] = 0.4,
    late: Annotated[
        float,
        typer.Option(
            help="With --live: share of what happens that is written minutes to hours later.",
            min=0,
            max=1,
        ),
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Fill an initialised, empty operational database with a believable Grace history, or write to one as Grace does.

    Examples:

        grace-dbt simulate --days 30 --contracts 10000 --rng-seed 7

        grace-dbt simulate --db sqlite:///grace.db --end 2025-11-30T00:00:00Z

        grace-dbt simulate --live --rate 100 --seconds 60 --json
    """
    from grace_dbt.settings import Settings

    _refuse_other_options(context, ONLY_HISTORY if live else ONLY_LIVE, live=live)
    settings = Settings.load(db)
    if live:
        _write_live(
            settings, as_json, rate=rate, seconds=seconds, rows=rows, updates=updates, late=late,
            rng_seed=rng_seed,
        )  # fmt: skip
        return
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.simulation import simulate as run

    url = settings.operational
    with to_people().status("Simulating") as status:
        written = run(
            url,
            days=days,
            contracts=contracts,
            rng_seed=rng_seed,
            end=moment(end) if end else datetime.now(UTC).replace(microsecond=0),
            progress=lambda table, count: status.update(f"Simulating: {table} {count:,}"),
        )
    told = {
        "days": days,
        "contracts": contracts,
        "rng_seed": rng_seed,
        "rows": sum(written.values()),
    }
    log_own(settings, "simulate", str(url), told, "written")
    if as_json:
        print_json({"url": str(url), "rows": written})
    say(f"Wrote {sum(written.values()):,} rows into {len(written)} tables of {url}.")


def _refuse_other_options(context: typer.Context, names: tuple[str, ...], *, live: bool) -> None:
    given = [
        name
        for name in names
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given:
        raise GraceError(
            f"--{given[0]} says nothing {'with' if live else 'without'} --live.",
            "Leave it out." if live else "Add --live, or leave it out.",
            ExitCode.USAGE,
        )


def _write_live(
    settings: Settings,
    as_json: bool,
    *,
    rate: float,
    seconds: float | None,
    rows: int | None,
    updates: float,
    late: float,
    rng_seed: int,
) -> None:
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.simulation.live import simulate_live

    url = settings.operational
    with _stopped_by_signals() as stop, to_people().status("Writing") as status:
        report = simulate_live(
            url,
            rate=rate,
            seconds=seconds,
            rows=rows,
            updates=updates,
            late=late,
            rng_seed=rng_seed,
            stop=stop,
            progress=lambda count: status.update(f"Writing: {count:,} rows"),
        )
    if report.rows:
        told = {"rows": report.rows, "seconds": report.seconds, "rng_seed": rng_seed}
        log_own(settings, "simulate.live", str(url), told, "written")
    if as_json:
        print_json({"url": str(url), "rows": report.rows, **asdict(report)})
    _say_live(report, url)


def _say_live(report: LiveReport, url: OperationalUrl) -> None:
    say(
        f"Wrote {report.rows:,} rows in {report.seconds:,.1f} s to {url}: {sum(report.inserted.values()):,} new ones,"
        f" {report.late:,} of them late, and {sum(report.updated.values()):,} changes."
    )
    for table in sorted(report.inserted.keys() | report.updated.keys()):
        new, changed = report.inserted.get(table, 0), report.updated.get(table, 0)
        say(f"  {table}: {new:,} new, {changed:,} changed")
    if report.rows:
        say(
            f"{report.achieved_rate:,.1f} rows/s of {report.rate:g} asked for; a commit took"
            f" {report.commit_p50_ms:g} ms (p50), {report.commit_p95_ms:g} ms (p95),"
            f" {report.commit_max_ms:g} ms at most; {report.retries:,} transactions were begun again."
        )


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set, instead of ending the process amid a transaction."""
    stop = Event()
    former = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
