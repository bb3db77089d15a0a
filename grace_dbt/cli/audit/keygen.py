"""`grace-dbt audit keygen`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, say_plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(keygen)


def keygen(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where the private key goes; the public one goes to FILE.pub."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Make a pair of Ed25519 keys: the private one signs anchors, the public one checks them.

    The private key is for its owner alone and is never printed; no file is overwritten. Keep it
    away from the machines that write the database: who has both can sign a rewritten chain. The
    public key is no secret.

    Examples:

        grace-dbt audit keygen --out /etc/grace-dbt/audit.key

        grace-dbt audit keygen --out audit.key --json
    """
    from grace_dbt.audit.keys import PRIVATE_VARIABLE, PUBLIC_VARIABLE, public_file, write_pair
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.settings import Settings

    settings = Settings.load()
    pair = write_pair(out)
    log_own(settings, "audit.keygen", pair.key_id, {"file": str(out.absolute())}, "made")
    if as_json:
        files = {"private": str(out), "public": str(public_file(out))}
        print_json({"key_id": pair.key_id, **files})
    say_plain(f"Key {pair.key_id}. {out} signs: name it with --key or {PRIVATE_VARIABLE}.")
    say_plain(f"{public_file(out)} checks: name it with --public-key or {PUBLIC_VARIABLE}.")
