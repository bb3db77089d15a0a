"""`grace-dbt audit append`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say_plain
from grace_dbt.errors import ExitCode, GraceError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(append)


def append(
    category: Annotated[str, typer.Option(help="The kind of event; it is counted by kind.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="JSON", help="What happened, a JSON object; @FILE reads a file, - reads stdin."
        ),
    ],
    level: Annotated[
        str, typer.Option(help="How widely it may be disclosed.")
    ] = "democratic_oversight",
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Append an entry to the audit log of Grace, beside everybody else who writes to it.

    The entry is sealed to the newest one; it is whole and durable, or not there. An entry is never
    changed or taken back: what was wrong is told by another one.

    Examples:

        grace-dbt audit append --category operator_note --data '{"reason": "quarterly review"}'

        grace-dbt audit append --category restore --data @restore.json --level internal --json

        grace-dbt audit append --category review --data - < review.json
    """
    from grace_dbt.audit.append import append_audit_log
    from grace_dbt.audit.own_log import log_own
    from grace_dbt.settings import Settings

    settings = Settings.load(db)
    given = _read(data)
    url = settings.operational
    entry = append_audit_log(url, category=category, data=given, level=level)
    told = {name: value for name, value in asdict(entry).items() if name != "previous_hash"}
    log_own(settings, "audit.append", str(url), told, "appended", own_only=True)
    if as_json:
        print_json({"url": str(url), **asdict(entry)})
    else:
        typer.echo(f"{entry.entry_id}\t{entry.position}\t{entry.chain_hash}")
        say_plain(f"Appended to audit_logs of {url}: entry id, position, chain hash.")


def _read(data: str) -> Any:
    """What the option stands for."""
    try:
        if data == "-":
            text = sys.stdin.buffer.read().decode()
        elif data.startswith("@"):
            text = Path(data[1:]).read_text(encoding="utf-8")
        else:
            text = data
        return json.loads(text)
    except OSError as error:
        raise GraceError(
            f"{data[1:]} can't be read: {error.strerror}.",
            "Check the path and the rights of the file.",
            ExitCode.USAGE,
        ) from error
    except (ValueError, RecursionError) as error:
        raise GraceError(
            f"The data is no JSON: {error}.",
            'Give an object, e.g. --data \'{"reason": "quarterly review"}\', or --data @file.json.',
            ExitCode.USAGE,
        ) from error
