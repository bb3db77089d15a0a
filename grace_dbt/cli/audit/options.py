"""Options that the commands of `grace-dbt audit` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Chain = Annotated[
    Literal["immutable_log", "audit_logs", "all", "own"],
    typer.Option(help="Which chain: all are those of Grace, own is what grace-dbt logs itself."),
]
Anchors = Annotated[
    list[Path] | None,
    typer.Option(
        "--anchor", metavar="FILE", help="Anchor to hold against the chains; again for each one."
    ),
]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Public key in PEM that checks the anchors. Default: GRACE_AUDIT_PUBLIC_KEY, a path or "
        "the key itself, else the public half of GRACE_AUDIT_KEY.",
        show_default=False,
    ),
]


def chosen(chain: str) -> tuple[str, ...] | None:
    """The chains that are meant by one word; None for those that the database has."""
    return None if chain == "all" else (chain,)
