"""What a refresh says of itself: the number, what changed in which table, how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grace_dbt.publishing import Published

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Tier:
    """Executions of one tier, over all that the snapshot holds; `success_rate` is 0 to 1."""

    tier_code: str
    tier_name: str
    total: int
    successful: int
    rollbacks: int
    success_rate: float


@dataclass(frozen=True)
class SourceChange:
    """What a refresh found in one operational table; `quarantined` counts values that can't be read now."""

    table: str
    missing: bool
    read: int
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    newest_at: str | None


@dataclass(frozen=True)
class RefreshReport:
    """A finished refresh: the number, what changed, how long it took, how fresh it is.

    Attributes:
        run_id: Under which the run is recorded.
        mode: `probe` where nothing had changed and nothing was done; `incremental` where what changed was brought up
            to date; `complete` where every table was looked at; `full` where every table was built anew, and all rows
            count as inserted.
        warnings: What a contract found that does not stop a refresh, e.g. a changed row in an append-only table.
        seconds: Wall time of the whole refresh.
        freshness_seconds: From the newest row of the operational database to the end of the refresh; None without rows.
    """

    tiers: list[Tier]
    sources: list[SourceChange]
    snapshot: Published
    run_id: str
    mode: str
    warnings: list[str]
    seconds: float
    freshness_seconds: float | None


def read_report(
    connection: DuckDBPyConnection, schema: str = "main"
) -> tuple[list[Tier], list[SourceChange]]:
    """The success rate by tier and the changes by table, from a snapshot."""
    tiers = connection.execute(
        "select tier_code, tier_name, total_executions, successful_executions, rollbacks, success_rate"
        f" from {schema}.cube_verification_by_tier order by tier_code"
    ).fetchall()
    sources = connection.execute(
        "select source_table, is_missing, rows_read, rows_inserted, rows_updated, rows_deleted, values_quarantined,"
        f" cast(newest_at as varchar) from {schema}.cube_source_changes order by source_table"
    ).fetchall()
    return [Tier(*row) for row in tiers], [SourceChange(*row) for row in sources]
