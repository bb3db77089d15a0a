"""What is published, and how old it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from grace_dbt.errors import GraceError
from grace_dbt.publishing import current
from grace_dbt.settings import Settings


def status(settings: Settings) -> dict[str, Any]:
    """The current snapshot: `snapshot_path`, `built_at`, `as_of`, `lag_seconds`, `rows` by table.

    Raises:
        GraceError: Nothing has been published yet, or the pointer is damaged.
    """
    published = current(settings)
    if published is None:
        raise GraceError(
            f"No snapshot has been published under {settings.home} yet.",
            "Run: grace-dbt refresh",
        )
    facts = asdict(published)
    facts["lag_seconds"] = round(published.lag_seconds(), 3)
    return facts
