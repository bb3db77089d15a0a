"""`grace-dbt status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from grace_dbt.cli.options import AsJson, duration
from grace_dbt.cli.output import print_json, to_terminal
from grace_dbt.errors import ExitCode, GraceError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    max_lag: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Exit with 1 where the last look at the operational database is longer ago: 15m, 1h.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the published snapshot, how long ago it was known to be the newest, and how refreshing goes.

    Examples:

        grace-dbt status

        grace-dbt status --max-lag 15m

        grace-dbt status --json
    """
    from grace_dbt.settings import Settings
    from grace_dbt.status import status as read

    allowed = duration(max_lag) if max_lag else None
    facts = read(Settings.load())
    if as_json:
        print_json(facts)
    else:
        _show(facts)
    if allowed is not None and facts["lag_seconds"] > allowed:
        raise GraceError(
            f"The last look at the operational database was {facts['lag_seconds']:,.0f} s ago.",
            "See what stops it with: grace-dbt runs",
            ExitCode.BAD,
        )


def _show(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    table.add_row("snapshot", facts["snapshot_path"])
    table.add_row("built at", facts["built_at"])
    table.add_row("up to date", f"{facts['lag_seconds']:,.0f} s ago")
    last = facts["last_run"]
    if last:
        words = f"{last['run_id']} {last['status']}: {last['error_message'] or ''}".rstrip(": ")
        table.add_row("last run", Text(words))
    schedule = facts["schedule"]
    if schedule:
        table.add_row(
            "schedule", f"process {schedule['pid']}, every {schedule['every_seconds']:g} s"
        )
    for chain, told in facts["audit"].items():
        table.add_row("audit chain", Text(f"{chain}: {_told(told)}"))
    for name, exact in facts["inexact"].items():
        table.add_row("over the budget", f"{name}: compared as a whole at {exact}")
    for name, count in facts["rows"].items():
        table.add_row(name, f"{count:,} rows")
    to_terminal().print(table)


def _told(chain: dict[str, Any]) -> str:
    """What is known of an audit chain, in words."""
    parts = []
    if "verdict" in chain:
        parts.append(f"{chain['entries']:,} entries {chain['verdict']} in the snapshot")
    verified = chain.get("verified")
    if verified:
        words = f"{verified['verdict']} when verified ({verified['scope']}) at {verified['verified_at']}"
        parts.append(f"{words}, {verified['unproven']:,} unproven")
    return "; ".join(parts)
