"""`grace-dbt docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grace_dbt.cli.options import Database
from grace_dbt.cli.output import say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(docs)


def docs(
    db: Database = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; default docs/index.html in GRACE_HOME.")
    ] = None,
    serve: Annotated[bool, typer.Option(help="Serve the page until Ctrl-C.")] = True,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 8080,
) -> None:
    """Write the docs site (data dictionary, contracts, lineage) as one static file, and serve it.

    Examples:

        grace-dbt docs

        grace-dbt docs --no-serve --out site/index.html
    """
    from grace_dbt.dbt_commands import serve_docs, write_docs
    from grace_dbt.settings import Settings

    page = write_docs(Settings.load(db), out)
    typer.echo(page)
    if serve:
        say(f"Serving http://127.0.0.1:{port}/{page.name} until Ctrl-C.")
        serve_docs(page, port)
