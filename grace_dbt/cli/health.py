"""`grace-dbt health`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say, to_terminal
from grace_dbt.errors import ExitCode
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from grace_dbt.health import HealthReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(health)


def health(db: Database = None, as_json: AsJson = False) -> None:
    """Say whether the operational database, and the Grace that writes it, are well.

    Looks at rights, at the schema (what is missing, what is otherwise, with the statement that
    mends it), and at the rows: orphans, stuck tasks, error rates, circuit breakers, open criticals,
    dead letters, and the age of the newest row of each system. Every finding says what to do.
    Reads only, also while a refresh runs.

    Exit code 1 when something is wrong; a note alone is nothing wrong.

    Examples:

        grace-dbt health

        grace-dbt health --db sqlite:////var/lib/grace/grace.db --json
    """
    from grace_dbt.health import health as look

    report = look(Settings.load(db))
    if as_json:
        print_json(report.as_data())
    else:
        _show(report)
    raise typer.Exit(ExitCode.FINE if report.healthy else ExitCode.BAD)


def _show(report: HealthReport) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from grace_dbt.health import span

    console = to_terminal()
    if report.findings:
        grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("check", "where", "found", "what to do"):
            grid.add_column(heading, overflow="fold")
        for check, group in groupby(report.findings, key=lambda finding: finding.check):
            findings = list(group)
            before = ("", "")
            for finding in findings:
                # What stands in the line above is not said again.
                said = (finding.check.replace("_", " "), finding.advice)
                name, advice = (
                    new if new != old else "" for new, old in zip(said, before, strict=True)
                )
                before = said
                style = "dim" if finding.severity == "note" else None
                grid.add_row(
                    *map(escape, (name, finding.subject, finding.found, advice)), style=style
                )
            if report.checks[check] > len(findings):
                grid.add_row("", f"and {report.checks[check] - len(findings):,} more")
            grid.add_section()
        console.print(grid)
    if report.newest:
        grid = Table(
            "system", "newest row", "allowed", "in table", box=box.SIMPLE_HEAD, pad_edge=False
        )
        for age in report.newest:
            style = "red" if age.is_stale else None
            cells = (age.component, span(age.age_seconds), span(age.allowed_seconds), age.table)
            grid.add_row(*cells, style=style)
        console.print(grid)
    wrong = sum(finding.severity == "wrong" for finding in report.findings)
    verdict = f"{wrong:,} wrong" if wrong else "Healthy"
    say(f"{verdict}, by {len(report.checks)} checks of {escape(report.url)} ({report.server}).")
