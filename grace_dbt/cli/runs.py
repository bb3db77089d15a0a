"""`grace-dbt runs`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, say, to_terminal
from grace_dbt.errors import ExitCode, GraceError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(runs)


def runs(
    run_id: Annotated[
        str | None,
        typer.Argument(help="One run, with all that is known of it.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 20,
    status: Annotated[
        Literal["running", "succeeded", "unchanged", "failed", "interrupted"] | None,
        typer.Option(help="Only those that ended so.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the refreshes of this installation: when, how they ended, what had changed, and what stopped them.

    Examples:

        grace-dbt runs

        grace-dbt runs --status failed --limit 5

        grace-dbt runs 20251130T120000.000000Z --json
    """
    from grace_dbt.runs import RunLog
    from grace_dbt.settings import Settings

    settings = Settings.load()
    found = RunLog(settings).latest(limit, status, run_id)
    if run_id and not found:
        raise GraceError(
            f"There is no run {run_id}.", "List them with: grace-dbt runs", ExitCode.USAGE
        )
    if as_json:
        print_json([vars(run) for run in found])
        return
    if not found:
        say(f"No run is known under {settings.home}.")
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if run_id:
        facts = Table(show_header=False, box=None)
        for name, value in vars(found[0]).items():
            lines = [f"{k}: {v}" for k, v in value.items()] if isinstance(value, dict) else [value]
            facts.add_row(name, Text("\n".join("" if v is None else str(v) for v in lines)))
        to_terminal().print(facts)
        return
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("run", no_wrap=True)
    for heading in ("mode", "status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("changed", justify="right")
    table.add_column("snapshot", overflow="fold")
    for run in found:
        changed = [run.rows_inserted, run.rows_updated, run.rows_deleted]
        table.add_row(
            run.run_id,
            run.mode,
            run.status,
            "" if run.duration_seconds is None else f"{run.duration_seconds:,.1f}",
            "" if None in changed else f"{sum(n for n in changed if n):,}",
            Text((run.snapshot or "").removesuffix(".duckdb")),
        )
    terminal = to_terminal()
    terminal.print(table)
    for run in found:
        if run.error_message:
            terminal.print(Text(f"{run.run_id}: {run.error_message}"))
