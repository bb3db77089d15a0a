"""`grace-dbt metrics query`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from grace_dbt.cli.metrics.options import Clearance, MetricsTarget
from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import say, say_plain
from grace_dbt.errors import ExitCode, GraceError

if TYPE_CHECKING:
    from grace_dbt.metrics.answers import Answer
    from grace_dbt.metrics.periods import Window

Shape = Literal["table", "json", "csv", "parquet"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)


def query(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The metrics.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="SLICE", help="Cut by this; again for each one, or with commas."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="SLICE=VALUE",
            help="Leave in only this, with != all but this, with no value what is unknown. Again for each one: of one "
            "slice they are alternatives, of several all hold.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Beginning, included; ISO 8601, UTC without an offset."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TIME", help="End, not included. Default: the snapshot's moment."
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", help="Instead of --from: the last so many times 24 hours."),
    ] = None,
    hours: Annotated[
        int | None, typer.Option("--hours", help="Instead of --from: the last so many hours.")
    ] = None,
    grain: Annotated[
        Literal["minute", "hour", "day", "week", "month", "quarter", "year"] | None,
        typer.Option(
            "--grain",
            help="A row for each of these, also where nothing happened.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        Literal["previous"] | None,
        typer.Option(
            "--compare",
            help="Tell the window of the same length right before beside it.",
            show_default=False,
        ),
    ] = None,
    order_by: Annotated[
        str | None,
        typer.Option(
            "--order-by", metavar="COLUMN", help="Default: period, then slices.", show_default=False
        ),
    ] = None,
    descending: Annotated[bool, typer.Option("--desc", help="The largest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many rows.")] = 1000,
    clearance: Clearance = None,
    shape: Annotated[Shape, typer.Option("--format", help="How to print the answer.")] = "table",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="Write there instead of to stdout.", show_default=False
        ),
    ] = None,
    show_sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL that was run, and not its answer.")
    ] = False,
    target: MetricsTarget = "duckdb",
    as_json: AsJson = False,
) -> None:
    """Ask for metrics: over a window, by slices, by periods, beside the window before.

    All of an answer is from one snapshot. Times are UTC. Where nothing happened a count is 0, and a rate or mean is
    empty. A line on stderr says when the operational database was read, and from which tables the answer is.

    Examples:

        grace-dbt metrics query verification_success_rate --by tier --days 7 --compare previous

        grace-dbt metrics query error_count auto_resolution_rate --grain day --from 2025-11-01 --to 2025-12-01

        grace-dbt metrics query duration_p95 --where tier=tier_2 --where action_type!=tune --format json

        grace-dbt metrics query executions --by actor --order-by executions --desc --limit 10
    """
    from grace_dbt import metrics
    from grace_dbt.cli.metrics.printing import as_bytes, print_answer

    answer = metrics.query(
        names,
        by=[word for text in by or () for word in text.split(",")],
        where=where or (),
        since=since,
        until=until,
        days=days,
        hours=hours,
        grain=grain,
        compare=compare,
        clearance=clearance,
        order_by=order_by,
        descending=descending,
        limit=limit,
        target=target,
    )
    shape = "json" if as_json else shape
    if show_sql:
        typer.echo(";\n\n".join(f"-- {tables}\n{sql}" for tables, sql in answer.sql.items()))
    elif output is not None:
        _write(output, as_bytes(answer, "csv" if shape == "table" else shape))
    elif shape == "table":
        print_answer(answer)
    elif shape == "parquet" and sys.stdout.isatty():
        raise GraceError(
            "Parquet is nothing for a terminal.",
            "Name a file: --output FILE, or > FILE.",
            ExitCode.USAGE,
        )
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(as_bytes(answer, shape))
        sys.stdout.buffer.flush()
    _say_where_from(answer)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise GraceError(
            f"{file} can't be written: {error.strerror}.", "Name another file."
        ) from error


def _say_where_from(answer: Answer) -> None:
    tables = dict.fromkeys(table for found in answer.sources.values() for table in found)
    say_plain(
        f"{_told(answer.window)}. As of {answer.as_of:%Y-%m-%d %H:%M:%S} UTC ({answer.snapshot}),"
        f" from {', '.join(tables)}."
    )
    if answer.truncated:
        say(f"There are more than these {len(answer.rows):,} rows: --limit shows more of them.")


def _told(window: Window) -> str:
    """A window in words."""
    since, until = (
        f"{each:%Y-%m-%d %H:%M:%S}" if each else "" for each in (window.since, window.until)
    )
    parts = [f"From {since}" if since else "", f"to {until} (not included)" if until else ""]
    text = " ".join(part for part in parts if part)
    return text[:1].upper() + text[1:] if text else "All time"
