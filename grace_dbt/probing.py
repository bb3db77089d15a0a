"""Which operational tables changed since they were landed, asked without dbt.

The rows of a table are summed up by their hashes, in the words of the macro that lands them, and landing keeps the hash
of each row: where number and sum agree, nothing is to be landed. Two changes that leave a sum of 64-bit hashes as it
was are not met in practice. A large table is not asked twice: it counts as changed, and its landing model looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grace_dbt.dbt_runner import printed_by
from grace_dbt.operational.attach import ALIAS, attach_operational, quoted
from grace_dbt.operational.schema import require_tables
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    import duckdb

# Rows up to which a second look at a table costs less than a dbt model that finds nothing.
ASKED_UP_TO = 50_000


@dataclass(frozen=True)
class Probe:
    """What a look at the operational tables told.

    Attributes:
        changed: Tables that differ from what was landed, or that only their landing model can tell of.
        unasked: The latter.
        shapes: Columns of each landed table, as text.
        queries: What asks each table, to be kept for the next look.
    """

    changed: set[str]
    unasked: set[str]
    shapes: dict[str, str]
    queries: dict[str, str]


def probe(
    settings: Settings,
    tables: list[str],
    *,
    shapes: Mapping[str, str],
    queries: Mapping[str, str],
) -> Probe:
    """Compare operational tables with what landing keeps of them.

    Args:
        settings: The installation; its lock must be held.
        tables: Those that are landed.
        shapes: Columns of each table at the look before.
        queries: What asked each table then.

    Raises:
        GraceError: dbt can't word the queries, or the database is out of reach.
        duckdb.Error: A table can't be read, or the build file.
    """
    import duckdb

    with duckdb.connect() as connection:
        attach_operational(connection, settings.operational)
        found = _shapes(connection, tables)
        same = {table for table in tables if found[table] == shapes.get(table)}
        if not same.issuperset(tables):
            require_tables(settings.operational, readable=tables)
        worded = {table: queries[table] for table in same if table in queries}
        worded |= word_queries(settings, sorted(set(tables) - set(worded)))
        connection.execute(f"attach {quoted(settings.build_file)} as build (read_only)")
        changed, unasked = set(tables) - same, set[str]()
        # One that was missing and still is has no rows to ask; those that were landed from it stay.
        for table in sorted(table for table in same if found[table]):
            landed = connection.execute(
                "select count(*), coalesce(sum(_row_hash), 0)"
                f" from build.landing.land_{table} where not _is_deleted"
            ).fetchall()
            if landed[0][0] > ASKED_UP_TO:
                unasked.add(table)
            elif connection.execute(worded[table]).fetchall() != landed:
                changed.add(table)
    return Probe(changed | unasked, unasked, found, worded)


def shapes_of(settings: Settings, tables: list[str]) -> dict[str, str]:
    """Columns of each operational table, as text; empty where there is none.

    Raises:
        GraceError: The database is out of reach.
    """
    import duckdb

    with duckdb.connect() as connection:
        attach_operational(connection, settings.operational)
        return _shapes(connection, tables)


def word_queries(settings: Settings, tables: list[str]) -> dict[str, str]:
    """The query that asks each table, in the words of the macro that lands it.

    Raises:
        GraceError: dbt can't say it.
    """
    if not tables:
        return {}
    arguments = {"tables": tables}
    found: dict[str, str] = printed_by(
        "print_landing_probe", "landing-probe", arguments, settings, target="duckdb"
    )
    return found


def _shapes(connection: duckdb.DuckDBPyConnection, tables: list[str]) -> dict[str, str]:
    """Names and types of the columns of each table; empty where there is none."""
    found = dict(
        connection.execute(
            "select lower(table_name),"
            " string_agg(concat_ws(' ', schema_name, column_name, data_type), ', ' order by schema_name, column_index)"
            " from duckdb_columns() where database_name = ? group by all",
            [ALIAS],
        ).fetchall()
    )
    return {table: found.get(table, "") for table in tables}
