"""`grace-dbt refresh`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.options import AsJson, Database, duration
from grace_dbt.cli.output import print_json, say, say_error, say_plain, to_people, to_terminal
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.moments import moment

if TYPE_CHECKING:
    from types import FrameType

    from grace_dbt.notices import Notifier
    from grace_dbt.refresh import Progress, Scope
    from grace_dbt.refresh_report import RefreshReport, SourceChange
    from grace_dbt.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(refresh)


def refresh(
    db: Database = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Rebuild every table; the history in snapshot tables is kept."),
    ] = False,
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Compare every row, also of tables over the row budget."),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Read again the rows of this time and later; ISO 8601, UTC without an offset.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TIME", help="Read again the rows before this time.", show_default=False
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            help="Read only what these models or operational tables stand on; dbt's selectors are understood.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Go on until stopped, with so much time between two looks: 2s, 5m, 1h.",
            show_default=False,
        ),
    ] = None,
    reconcile_every: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="With --every: compare tables over the row budget as a whole at least so often.",
        ),
    ] = "1d",
    verify_every: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="With --every: verify all entries of the audit chains at least so often.",
        ),
    ] = "1d",
    notify: Annotated[
        list[str] | None,
        typer.Option(
            help="Command or http(s) URL that is told once of a failure, and once of the recovery."
            " Default: GRACE_NOTIFY, one a line.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the cube up to date with the operational database and publish a snapshot.

    Where nothing changed, nothing is run. One refresh works at a time; what was published stays served
    until the next snapshot is whole.

    Examples:

        grace-dbt refresh

        grace-dbt refresh --db sqlite:///grace.db --json

        grace-dbt refresh --every 5m --notify https://hooks.example.org/grace

        grace-dbt refresh --from 2025-11-01 --to 2025-11-08

        grace-dbt refresh --full
    """
    from grace_dbt.notices import Notifier
    from grace_dbt.refresh import Scope
    from grace_dbt.settings import Settings

    scope = Scope(
        full=full,
        reconcile=reconcile,
        since=moment(since) if since else None,
        until=moment(until) if until else None,
        select=tuple(select or ()),
    )
    settings = Settings.load(db)
    told = notify if notify is not None else os.environ.get("GRACE_NOTIFY", "").splitlines()
    notifier = Notifier(settings, tuple(told))
    if scope.since and scope.until and scope.since >= scope.until:
        raise GraceError("--from is not before --to.", "Name a span of time.", ExitCode.USAGE)
    if every is not None:
        seconds = duration(every)
        if not scope.is_plain:
            raise GraceError(
                "--every looks for what changed, and for nothing else.",
                "Run a refresh with --full, --reconcile, --from, --to or --select beside it.",
                ExitCode.USAGE,
            )
        keep_refreshing(
            settings,
            seconds,
            notifier,
            as_json=as_json,
            reconcile_every=duration(reconcile_every),
            verify_every=duration(verify_every),
        )
        return
    report = once(settings, scope, notifier)
    if as_json:
        print_json(asdict(report))
    else:
        show(report)


def once(settings: Settings, scope: Scope, notifier: Notifier) -> RefreshReport:
    """Refresh one time, and tell who wants to know how it went."""
    from grace_dbt.locking import BusyError
    from grace_dbt.refresh import refresh as run

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    try:
        with progress_bar() as progress:
            report = run(settings, scope, progress=progress)
    except BusyError:
        raise
    except GraceError as error:
        warn(notifier.failed(error))
        raise
    log(settings, report)
    warn(notifier.succeeded())
    return report


def keep_refreshing(
    settings: Settings,
    every: float,
    notifier: Notifier,
    *,
    as_json: bool,
    reconcile_every: float,
    verify_every: float,
) -> None:
    """Refresh until a signal says stop; a line for each snapshot and each failure."""
    from grace_dbt.schedule import Scheduler

    def report_on(report: RefreshReport) -> None:
        log(settings, report)
        if as_json:
            typer.echo(json.dumps(asdict(report), default=str, ensure_ascii=False))
            return
        counts = {
            what: sum(getattr(source, what) for source in report.sources)
            for what in ("inserted", "updated", "deleted")
        }
        changes = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        stamp(f"{ending(report)}: {changes}")
        warn(report.warnings)

    def report_error(error: GraceError) -> None:
        stamp("The refresh failed; it is tried again.")
        say_error(error)

    say(f"Looking for changes every {every:g} s; Ctrl-C or SIGTERM stops.")
    Scheduler(
        settings,
        every,
        notifier,
        on_report=report_on,
        on_error=report_error,
        on_trouble=lambda trouble: warn([trouble]),
        reconcile_every=reconcile_every,
        verify_every=verify_every,
    ).run()
    say("Stopped.")


def log(settings: Settings, report: RefreshReport) -> None:
    """Log what was published: in the own log alone, for a refresh never writes to the database that it reads."""
    if report.mode == "probe":
        return
    from grace_dbt.audit.own_log import log_own

    told = {"run_id": report.run_id, "mode": report.mode, "snapshot": report.snapshot.snapshot_path}
    log_own(settings, "refresh", str(settings.operational), told, "published", own_only=True)


def stamp(line: str) -> None:
    """A line with the time (UTC) before it, for a log."""
    say_plain(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")


def warn(troubles: Sequence[str]) -> None:
    """What went wrong beside a refresh, or was found by it and stops nothing."""
    for trouble in troubles:
        say_plain(trouble, mark="Warning: ")


def show(report: RefreshReport) -> None:
    """Print a report as two small tables and two lines."""
    from rich import box
    from rich.table import Table

    console = to_terminal()
    tiers = Table(
        title="Verification success rate by tier",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
    )
    tiers.add_column("tier", no_wrap=True)
    for heading in ("executions", "successful", "rate"):
        tiers.add_column(heading, justify="right")
    tiers.add_column("", no_wrap=True)
    for tier in report.tiers:
        tiers.add_row(
            f"{tier.tier_code} ({tier.tier_name})",
            f"{tier.total:,}",
            f"{tier.successful:,}",
            f"{tier.success_rate:.1%}",
            bar(tier.success_rate),
        )
    console.print(tiers if report.tiers else "No executions yet.")
    told = [source for source in report.sources if _is_worth_telling(source)]
    changes = Table(
        title="Operational tables", title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True
    )
    changes.add_column("table", no_wrap=True)
    for heading in ("read", "inserted", "updated", "deleted", "quarantined"):
        changes.add_column(heading, justify="right")
    for source in told:
        counts = (source.read, source.inserted, source.updated, source.deleted, source.quarantined)
        changes.add_row(source.table, *(f"{count:,}" for count in counts))
    if told:
        console.print(changes)
    if told and len(told) < len(report.sources):
        say(f"Nothing changed in {len(report.sources) - len(told)} other tables.")
    if report.mode == "full":
        say("Every table was rebuilt: all rows count as inserted.")
    warn(report.warnings)
    fresh = (
        "no rows yet"
        if report.freshness_seconds is None
        else f"newest row {report.freshness_seconds:,.0f} s old"
    )
    say(f"{ending(report)}; {fresh}.")


def _is_worth_telling(source: SourceChange) -> bool:
    """Whether a table changed, or somebody has to look at it."""
    changed = source.inserted or source.updated or source.deleted
    return bool(changed or source.quarantined or source.missing)


def ending(report: RefreshReport) -> str:
    """What became of a refresh, in one line."""
    if report.mode == "probe":
        return f"Nothing has changed since {report.snapshot.snapshot_path} ({report.seconds:.1f} s)"
    return f"Published {report.snapshot.snapshot_path} in {report.seconds:.1f} s"


def bar(share: float, width: int = 20) -> str:
    """A share from 0 to 1 as a bar of eighths."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a plain line for each step."""
    console = to_people()
    if not console.is_terminal:
        steps: list[str] = []

        def tell(step: str, done: int, total: int) -> None:
            if step not in steps:
                steps.append(step)
                console.print(f"{step} ...")

        yield tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("Looking for changes", total=None)
        yield lambda step, done, total: shown.update(
            task, description=step, completed=done, total=total or None
        )
