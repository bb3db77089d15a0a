"""`grace-dbt query`."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from grace_dbt.cli.options import AsJson
from grace_dbt.cli.output import print_json, say

if TYPE_CHECKING:
    from grace_dbt.reading import Answer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(query)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from stdin.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many rows.")] = 1000,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.001, help="Stop the query after so many seconds.")
    ] = 30.0,
    shape: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How to print the answer.")
    ] = "table",
    as_json: AsJson = False,
) -> None:
    """Ask the published snapshot something in SQL.

    Only reads: nothing can be written, no other file be opened. Its tables are those of the cube;
    `show tables` lists them, `describe dim_tier` the columns of one. When there are more rows than
    the limit, a line on stderr says so, and `truncated` in JSON.

    Examples:

        grace-dbt query "select tier_code, success_rate from cube_verification_by_tier"

        grace-dbt query "from fact_verification_executions" --limit 100000 --format csv

        grace-dbt query "describe dim_mission" --json
    """
    from grace_dbt.reading import open_snapshot

    text = sys.stdin.read() if sql == "-" else sql
    with open_snapshot() as snapshot:
        answer = snapshot.answer(text, limit=limit, timeout=timeout)
        name, as_of = snapshot.path.name, snapshot.as_of.isoformat()
    if as_json or shape == "json":
        from grace_dbt.result_values import as_json as plain

        print_json(
            {
                "columns": answer.columns,
                "types": answer.types,
                "rows": [plain(row) for row in answer.rows],
                "truncated": answer.truncated,
                "snapshot": name,
                "as_of": as_of,
            }
        )
    elif shape == "csv":
        from grace_dbt.result_values import as_text

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([as_text(value) for value in row] for row in answer.rows)
    else:
        _show(answer)
    if answer.truncated:
        say(f"There are more than these {limit:,} rows: --limit shows more of them.")
    elif shape == "table" and not as_json:
        say(f"{len(answer.rows):,} {'row' if len(answer.rows) == 1 else 'rows'}")


def _show(answer: Answer) -> None:
    """Print a table; what is a number stands to the right."""
    from decimal import Decimal

    from grace_dbt.cli.grid import print_grid
    from grace_dbt.result_values import as_text, printable

    numeric = {
        place
        for place in range(len(answer.columns))
        if any(
            isinstance(row[place], (int, float, Decimal)) and not isinstance(row[place], bool)
            for row in answer.rows
        )
    }
    rows = [[printable(as_text(value, null="NULL")) for value in row] for row in answer.rows]
    print_grid(answer.columns, rows, right=numeric)
