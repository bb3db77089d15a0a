"""`grace-dbt audit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grace_dbt.cli.audit.options import Anchors, Chain, PublicKey, chosen
from grace_dbt.cli.options import Database
from grace_dbt.cli.output import say_plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    chain: Chain = "all",
    anchor: Anchors = None,
    public_key: PublicKey = None,
    db: Database = None,
) -> None:
    """Verify chains and write the result as one HTML page: verdicts, findings, what is proven and what is not.

    The page needs no network and prints well. It also says how to repeat the check by hand. An
    existing page is replaced.

    Exit codes as of `audit verify`: 1 when a chain is tampered with, 3 when one can't be verified;
    the page is written all the same.

    Examples:

        grace-dbt audit report --out report.html

        grace-dbt audit report --out report.html --anchor anchor.json --public-key audit.key.pub
    """
    from grace_dbt.audit.anchors import require_place
    from grace_dbt.audit.keys import load_public
    from grace_dbt.audit.report import write_report
    from grace_dbt.audit.verify import verify_chains
    from grace_dbt.settings import Settings

    require_place(out, overwrite=True)
    found = verify_chains(
        Settings.load(db),
        chosen(chain),
        anchors=anchor or (),
        public_key=load_public(public_key) if anchor else None,
    )
    write_report(found, out)
    for checked in found.chains:
        say_plain(f"{checked.chain}: {checked.verdict}, {checked.entries:,} entries.")
    typer.echo(out)
    raise typer.Exit(found.exit_code)
