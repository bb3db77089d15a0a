"""`grace-dbt metrics validate`."""

from __future__ import annotations

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, say_plain
from grace_dbt.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(as_json: AsJson = False) -> None:
    """Look at the definitions of metrics as they stand in the files, and say what is wrong with file and line.

    Files are those of models/semantic in the project, and of the folder GRACE_METRICS (default: metrics under
    GRACE_HOME). Each metric is compiled, and tried on the tables of the newest snapshot where there is one. The next
    refresh leaves a metric out whose YAML has a mistake, with a warning, and publishes all others; it tries none.

    Exit code 0 when all hold, 1 when one does not.

    Examples:

        grace-dbt metrics validate

        grace-dbt metrics validate --json
    """
    from dataclasses import asdict

    from grace_dbt.metrics.validating import validate as look
    from grace_dbt.settings import Settings

    found = look(Settings.load())
    if as_json:
        print_json({**asdict(found), "problems": [asdict(each) for each in found.problems]})
    else:
        for problem in found.problems:
            typer.echo(str(problem))
        tried = (
            f"tried on {found.tried_on}"
            if found.tried_on
            else "tried on no table: nothing is published yet"
        )
        mistakes = len(found.problems)
        told = f"{mistakes} {'mistake' if mistakes == 1 else 'mistakes'}"
        say_plain(f"{found.metrics} metrics hold ({tried}); {told}.")
    if found.problems:
        raise typer.Exit(ExitCode.BAD)
