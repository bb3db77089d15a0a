"""A believable history of Grace, up to now, made up from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from grace_dbt.errors import ExitCode, GraceError, listed
from grace_dbt.operational.backend import Backend, open_database
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.simulation.book import TABLES, Book, require_tables
from grace_dbt.simulation.clock import Clock

__all__ = ["simulate"]

MOST_DAYS = 3_660


def simulate(
    url: OperationalUrl,
    *,
    days: int,
    contracts: int,
    rng_seed: int,
    end: datetime,
    progress: Callable[[str, int], None] | None = None,
) -> dict[str, int]:
    """Write a made-up history into an empty operational database, in one transaction.

    The same seed, size and end give the same rows, whatever the database. Nothing is dated after
    `end`, or before `end` minus `days`; what is still to come then is pending, executing or open.

    Args:
        url: The database; its tables must exist.
        days: Length of the history.
        contracts: Exact number of rows in `action_contracts`; the other tables follow from it.
        rng_seed: Seed of all choices.
        end: The last moment of the history, with a time zone.
        progress: Called with a table and the rows written to it so far.

    Returns:
        Rows written, by table.

    Raises:
        GraceError: An argument is no good (exit code 2), a table already has rows (1), a table is
            missing, or the database is locked or refuses (3). Nothing was written then.
    """
    _check_arguments(days, contracts, end)
    url.require_present()
    with open_database(url, write=True) as database, database.transaction():
        _require_empty_tables(url, database)
        book = Book(database, progress)
        _tell(Clock(end.astimezone(UTC), days), book, contracts, rng_seed)
        book.settle(at_least=0)
    return {table: rows for table, rows in book.written.items() if rows}


def _tell(clock: Clock, book: Book, contracts: int, rng_seed: int) -> None:
    """The kernels first, then the contracts in time order; the logs take events from all."""
    from grace_dbt.simulation import (
        core,
        ingress,
        intelligence,
        learning,
        memory,
        models,
        operations,
        shards,
    )
    from grace_dbt.simulation.contracts import Contracts
    from grace_dbt.simulation.oversight import Oversight
    from grace_dbt.simulation.remedies import Remedies
    from grace_dbt.simulation.world import World

    world = World(clock, book, contracts=contracts, rng_seed=rng_seed)
    oversight, remedies = Oversight(world), Remedies(world)
    for kernel in (core, ingress, learning, memory, models, operations, shards):
        kernel.write(world)
        book.settle()
    intelligence.write(world, oversight)
    remedies.write_side_stories()
    Contracts(world, oversight, remedies).write()
    world.log.write_until(clock.last)
    world.audit.finish()


def _check_arguments(days: int, contracts: int, end: datetime) -> None:
    if not 1 <= days <= MOST_DAYS:
        raise GraceError(
            f"A history of {days} days cannot be simulated.",
            f"Give --days a whole number from 1 to {MOST_DAYS}.",
            ExitCode.USAGE,
        )
    if contracts < 1:
        raise GraceError(
            f"A history of {contracts} contracts cannot be simulated.",
            "Give --contracts a whole number from 1 on.",
            ExitCode.USAGE,
        )
    if end.tzinfo is None or end - timedelta(days=days) < datetime(1971, 1, 1, tzinfo=UTC):
        raise GraceError(
            f"A history cannot end at {end.isoformat()}.",
            "Give a moment with a time zone that leaves the history after 1970.",
            ExitCode.USAGE,
        )


def _require_empty_tables(url: OperationalUrl, database: Backend) -> None:
    require_tables(url, database)
    filled = [table for table in TABLES if not database.is_empty(table)]
    if filled:
        raise GraceError(
            "simulate adds a history to an empty database only; "
            f"rows are already in {listed(filled)}.",
            "Create a new database with grace-dbt init --db URL, and simulate there.",
            ExitCode.BAD,
        )
