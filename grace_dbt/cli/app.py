"""The `grace-dbt` command: all subcommands, and the one place where an error becomes two lines and an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from grace_dbt import __version__
from grace_dbt.cli import (
    build,
    ddl,
    docs,
    health,
    init,
    query,
    refresh,
    runs,
    simulate,
    status,
    tables,
    test,
)
from grace_dbt.cli.audit import group as audit
from grace_dbt.cli.command_line import hide_password
from grace_dbt.cli.metrics import group as metrics
from grace_dbt.cli.output import say_error
from grace_dbt.errors import GraceError, unforeseen

app = typer.Typer(
    name="grace-dbt",
    help="Operational schema, data cube and proof for Grace, from one dbt declaration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    init, ddl, tables, simulate, health, refresh, runs, status, query, metrics, audit, build, test, docs,
)  # fmt: skip
for command in _COMMANDS:
    command.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grace-dbt {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Exit codes: 0 fine, 1 what was checked is bad, 2 wrong usage, 3 a database, file or right is missing.

    A command that Ctrl-C stops ends with 130.
    """
    from grace_dbt.audit.own_log import chosen_place

    chosen_place()  # before a command changes what it then can't log


def main() -> None:
    """Run the command line; the entry point of the package."""
    hide_password()
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        known = error if isinstance(error, GraceError) else unforeseen(error)
        say_error(known)
        sys.exit(known.exit_code)
