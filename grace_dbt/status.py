"""What is published, how old it is, and how the refreshing goes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from grace_dbt.audit.records import latest_verifications
from grace_dbt.build_state import BuildState
from grace_dbt.errors import GraceError
from grace_dbt.publishing import Published, current
from grace_dbt.runs import FAILED, INTERRUPTED, SUCCEEDED, UNCHANGED, RunLog
from grace_dbt.schedule import Vitals
from grace_dbt.settings import Settings


def status(settings: Settings) -> dict[str, Any]:
    """The current snapshot: `snapshot_path`, `built_at`, `as_of`, `rows` by table, and `run_id`.

    Beside them `checked_at`, the time of the last look that found nothing newer than the snapshot, or made it;
    `lag_seconds` since then; `inexact`, the tables over the row budget and when each was last compared as a whole;
    `audit`, by chain what the snapshot says (`entries`, `verdict`, `first_bad_position`) and how it was `verified` last
    on the database itself; `last_run`, how the last refresh ended (`run_id`, `status`, `ended_at`, `error_message`);
    and `schedule`, what `refresh --every` says of itself where one runs.

    Raises:
        GraceError: Nothing has been published yet, or the pointer is damaged.
    """
    published = current(settings)
    if published is None:
        raise GraceError(
            f"No snapshot has been published under {settings.home} yet.",
            "Run: grace-dbt refresh",
        )
    state, vitals = BuildState.read(settings.home), Vitals.read(settings.home)
    looks = [published.as_of]
    if state is not None and state.run_id == published.run_id:
        looks.append(state.checked_at)
        if vitals is not None and vitals.checked_at and vitals.is_alive():
            looks.append(vitals.checked_at)
    checked = max(datetime.fromisoformat(look) for look in looks)
    facts = asdict(published)
    facts["checked_at"] = checked.isoformat(timespec="milliseconds")
    facts["lag_seconds"] = round((datetime.now(UTC) - checked).total_seconds(), 3)
    facts["inexact"] = state.inexact if state is not None else {}
    facts["audit"] = _audit(settings, published)
    facts["last_run"] = _last_run(settings)
    facts["schedule"] = asdict(vitals) if vitals is not None and vitals.is_alive() else None
    return facts


def _audit(settings: Settings, published: Published) -> dict[str, dict[str, Any]]:
    """Each audit chain, as it was when the snapshot was made, and as it was verified last."""
    import duckdb

    chains: dict[str, dict[str, Any]] = {}
    if "audit_chain_status" in published.rows:
        with duckdb.connect(published.snapshot_path, read_only=True) as snapshot:
            for chain, entries, tampered, position in snapshot.execute(
                "select chain, sum(entries), bool_or(verdict = 'tampered'), min(first_bad_position)"
                " from audit_chain_status group by chain order by chain"
            ).fetchall():
                verdict = "tampered" if tampered else "intact"
                chains[chain] = {
                    "entries": int(entries), "verdict": verdict, "first_bad_position": position
                }  # fmt: skip
    for chain, verified in latest_verifications(settings).items():
        chains.setdefault(chain, {})["verified"] = verified
    return chains


def _last_run(settings: Settings) -> dict[str, Any] | None:
    """The last run that is over; None where none is known."""
    try:
        runs = RunLog(settings).latest(2)
    except GraceError:
        return None
    over = (run for run in runs if run.status in (SUCCEEDED, UNCHANGED, FAILED, INTERRUPTED))
    run = next(over, None)
    if run is None:
        return None
    return {name: getattr(run, name) for name in ("run_id", "status", "ended_at", "error_message")}
