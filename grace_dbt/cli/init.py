"""`grace-dbt init`: create the operational schema, or complete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say, to_people
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from grace_dbt.operational.schema import InitReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    db: Database = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL that would run, and run nothing.")
    ] = False,
    enforce: Annotated[
        bool,
        typer.Option(
            "--enforce",
            help="Also add what tables of another writer lack, and constraints that rows may break.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the operational schema, or what a database lacks of it.

    What exists is never changed. A database that Grace made is adopted: missing tables are
    created, and every difference is reported with the statement that would mend it. Safe to run
    again at any time.

    Examples:

        grace-dbt init

        grace-dbt init --db sqlite:////var/lib/grace/grace.db --dry-run

        grace-dbt init --db postgresql://grace@db.example.org/grace --enforce --dry-run

        grace-dbt init --db duckdb:///grace.duckdb --json
    """
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.operational.plan import script
    from grace_dbt.operational.schema import initialise

    settings = Settings.load(db)
    report = initialise(settings, dry_run=dry_run, enforce=enforce)
    if report.applied and report.steps:
        made = {"created": report.as_data()["created"], "enforce": enforce}
        log_own(settings, "init", report.url, made, "created")
    if as_json:
        print_json(report.as_data())
    elif dry_run and report.steps:
        typer.echo(script(report.steps, report.dialect))
    if dry_run and not as_json and report.mends:
        typer.echo(_as_comment(report))
    _tell(report)


def _as_comment(report: InitReport) -> str:
    """What --enforce would run besides, as comments: the script itself is what would run now."""
    statements = [f"{step.sql};" for step in report.mends]
    lines = ["", "Left to --enforce:", *"\n".join(statements).splitlines()]
    return "\n".join(f"-- {line}".rstrip() if line else "" for line in lines)


def _tell(report: InitReport) -> None:
    from collections import Counter

    from rich.markup import escape

    made = Counter(step.kind for step in report.steps)
    counts = ", ".join(
        f"{made[kind]} {kind.replace('_', ' ') if made[kind] == 1 else plural}"
        for kind, plural in (
            ("table", "tables"),
            ("column", "columns"),
            ("index", "indexes"),
            ("trigger", "triggers"),
            ("guard", "guards"),
            ("unique", "unique constraints"),
            ("foreign_key", "foreign keys"),
            ("check", "checks"),
            ("default", "defaults"),
        )
        if made[kind]
    )
    place = escape(report.url)
    if not report.steps:
        say(f"Nothing to create in {place}.")
    else:
        say(f"{'Created' if report.applied else 'Would create'} {counts} in {place}.")
    if report.adopted:
        say(f"Adopted, and left as they are: {', '.join(report.adopted)}.")
    if not report.drift:
        return
    say(f"{len(report.drift)} differences from the declaration:")
    to_people().print(_drift_table(report))
    if any(drift.mend for drift in report.drift):
        say("[dim]The statements that mend: grace-dbt init --enforce --dry-run.[/]")


def _drift_table(report: InitReport) -> Table:
    from itertools import groupby

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("table", "what", "expected", "found", "mend"):
        grid.add_column(heading, overflow="fold")
    for _, group in groupby(report.drift, key=lambda drift: drift.table):
        for place, drift in enumerate(group):
            what, expected = f"{drift.kind.replace('_', ' ')} {drift.object}", drift.expected
            if drift.kind in ("index", "trigger"):
                # The full name begins with that of the table, which the line has already.
                _, _, event = drift.object.partition("__")
                what = expected if drift.kind == "index" else f"trigger {event}"
                expected = "present"
            cells = map(escape, (drift.table if place == 0 else "", what, expected, drift.found))
            grid.add_row(*cells, "--enforce" if drift.mend else "-")
        grid.add_section()
    return grid
