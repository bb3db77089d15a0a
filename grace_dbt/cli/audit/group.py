"""`grace-dbt audit`: the commands of the audit chains."""

from __future__ import annotations

import typer

from grace_dbt.cli.audit import anchor, append, keygen, report, verify


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        name="audit",
        help="Append to the audit chains of Grace, verify them, and sign what they hold.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for command in (verify, append, anchor, keygen, report):
        command.register(group)
    app.add_typer(group)
