"""`grace-dbt refresh`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say, to_people, to_terminal

if TYPE_CHECKING:
    from grace_dbt.refresh import Progress, RefreshReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(refresh)


def refresh(
    db: Database = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Rebuild every table; the history in snapshot tables is kept."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the cube up to date with the operational database and publish a snapshot.

    Examples:

        grace-dbt refresh

        grace-dbt refresh --db sqlite:///grace.db --json

        grace-dbt refresh --full
    """
    from grace_dbt.refresh import refresh as run
    from grace_dbt.settings import Settings

    with progress_bar() as progress:
        report = run(Settings.load(db), full=full, progress=progress)
    if as_json:
        print_json(asdict(report))
    else:
        show(report)


def show(report: RefreshReport) -> None:
    """Print a report as two small tables and two lines."""
    from rich import box
    from rich.table import Table

    console = to_terminal()
    tiers = Table(
        title="Verification success rate by tier", title_justify="left", box=box.SIMPLE_HEAD
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
    changes = Table(
        title="Operational tables", title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True
    )
    changes.add_column("table", no_wrap=True)
    for heading in ("read", "inserted", "updated", "deleted", "quarantined"):
        changes.add_column(heading, justify="right")
    for source in report.sources:
        counts = (source.read, source.inserted, source.updated, source.deleted, source.quarantined)
        changes.add_row(source.table, *(f"{count:,}" for count in counts))
    console.print(changes)
    if report.rebuilt:
        say("Every table was rebuilt: all rows count as inserted.")
    for warning in report.warnings:
        say(f"[yellow]Warning:[/] {warning}")
    fresh = (
        "no rows yet"
        if report.freshness_seconds is None
        else f"newest row {report.freshness_seconds:,.0f} s old"
    )
    say(f"Published {report.snapshot.snapshot_path} in {report.seconds:.1f} s; {fresh}.")


def bar(share: float, width: int = 20) -> str:
    """A share from 0 to 1 as a bar of eighths."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """What is done, on a terminal; elsewhere one plain line at the start."""
    console = to_people()
    if not console.is_terminal:
        console.print("Refreshing the cube ...")
        yield lambda name, done: None
        return
    with console.status("Refreshing the cube") as status:
        yield lambda name, done: status.update(f"Refreshing the cube: {done} done, {name}")
