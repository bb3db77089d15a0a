"""`grace-dbt simulate`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from grace_dbt.cli.options import AsJson, Database
from grace_dbt.cli.output import print_json, say, to_people
from grace_dbt.errors import ExitCode, GraceError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    db: Database = None,
    days: Annotated[int, typer.Option(help="Length of the history in days.", min=1)] = 30,
    contracts: Annotated[int, typer.Option(help="Action contracts to write.", min=1)] = 10_000,
    rng_seed: Annotated[int, typer.Option(help="The same seed and end give the same rows.")] = 7,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the history ends, ISO 8601, UTC without an offset. Default: now.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fill an initialised, empty operational database with a believable Grace history.

    Examples:

        grace-dbt simulate --days 30 --contracts 10000 --rng-seed 7

        grace-dbt simulate --db sqlite:///grace.db --end 2025-11-30T00:00:00Z
    """
    from grace_dbt.settings import Settings
    from grace_dbt.simulation import simulate as run

    url = Settings.load(db).operational
    with to_people().status("Simulating") as status:
        written = run(
            url,
            days=days,
            contracts=contracts,
            rng_seed=rng_seed,
            end=_moment(end),
            progress=lambda table, count: status.update(f"Simulating: {table} {count:,}"),
        )
    if as_json:
        print_json({"url": str(url), "rows": written})
    say(f"Wrote {sum(written.values()):,} rows into {len(written)} tables of {url}.")


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise GraceError(
            f"'{text}' is no time.", "Use ISO 8601, e.g. 2025-11-30T12:00:00Z.", ExitCode.USAGE
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
