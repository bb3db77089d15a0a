"""`grace-dbt audit anchor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grace_dbt.cli.audit.options import Chain, chosen
from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say_plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(anchor)


def anchor(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The anchor to write.")],
    chain: Chain = "all",
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Private key in PEM. Default: GRACE_AUDIT_KEY, a path or the key itself.",
            show_default=False,
        ),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Verify chains and sign what they hold now, so that a later rewriting, cut or replacement shows.

    Keep the file where nobody can write who can write the database, and hand it to
    `audit verify --anchor`. No file is overwritten. A chain that is tampered with is not anchored.

    Examples:

        grace-dbt audit anchor --key audit.key --out /mnt/worm/grace-2025-11-30.json

        grace-dbt audit anchor --chain own --key audit.key --out own.json --json
    """
    from grace_dbt.audit.anchors import make_anchor, require_place, write_anchor
    from grace_dbt.audit.keys import exposure, load_private
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.settings import Settings

    settings = Settings.load(db)
    private_key = load_private(key)
    if note := exposure(key):
        say_plain(note, "Note: ")
    require_place(out)
    made = make_anchor(settings, chosen(chain), private_key)
    write_anchor(out, made)
    points = made["checkpoints"]
    told = {
        "key_id": made["key_id"],
        "checkpoints": [
            {name: point[name] for name in ("chain", "first_hash", "position", "head_hash")}
            for point in points
        ],
    }
    log_own(settings, "audit.anchor", str(out.absolute()), told, "signed")
    if as_json:
        print_json({"file": str(out), **made})
    for point in points:
        say_plain(
            f"{point['chain']}, segment {point['segment']}: {point['entries']:,} entries up to "
            f"position {point['position']:,}."
        )
    say_plain(f"Signed by key {made['key_id']}: {out}")
