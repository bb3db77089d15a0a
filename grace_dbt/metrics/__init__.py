"""The metrics of the cube, asked for by name; what each means is defined once, in models/semantic.

```python
from grace_dbt import metrics

answer = metrics.query("verification_success_rate", by="tier", days=7, grain="day")
answer.rows  # [{"period": datetime(...), "tier": "tier_1", "verification_success_rate": 0.97}, ...]
answer.arrow()  # the same as an Arrow table
```

`available()` says which metrics there are. `docs/metrics.md` says what windows, comparisons and clearances mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from grace_dbt.metrics.periods import Grain

if TYPE_CHECKING:
    from grace_dbt.metrics.answers import Answer
    from grace_dbt.metrics.catalogue import Metric
    from grace_dbt.metrics.cubes import Cube
    from grace_dbt.metrics.request import Moment, Where
    from grace_dbt.reading import Snapshot

__all__ = ["Grain", "available", "metric", "query"]

Target = Literal["duckdb", "postgres"]


def query(
    metrics: str | Sequence[str],
    *,
    by: str | Sequence[str] = (),
    where: Where = (),
    since: Moment | None = None,
    until: Moment | None = None,
    days: int | None = None,
    hours: int | None = None,
    grain: Grain | None = None,
    compare: Literal["previous"] | None = None,
    clearance: str | None = None,
    order_by: str | None = None,
    descending: bool = False,
    limit: int | None = None,
    snapshot: Snapshot | None = None,
    home: str | os.PathLike[str] | None = None,
    target: Target = "duckdb",
) -> Answer:
    """Ask for metrics.

    All of an answer is from one snapshot: the newest, or the one that is handed over.

    Args:
        metrics: One name or several.
        by: Words of the slices that the answer is cut by, e.g. `["tier", "action_type"]`.
        where: What is left in: a mapping of a slice to a value or a list of them (None for unknown; a slice that ends
            in `!` for all others), or texts such as `tier=tier_2`. Values are bound, never read as SQL.
        since: Beginning of the window, included: a time, a date or ISO 8601; UTC without an offset.
        until: Its end, not included; default: the moment of the snapshot, where the window has a beginning.
        days: Instead of `since`: the last so many times 24 hours.
        hours: Instead of `since`: the last so many hours.
        grain: One row for each minute, hour, day, week, month, quarter or year, also for those with nothing in them.
        compare: `previous` tells the window of the same length right before beside it.
        clearance: Tier of who asks: metrics above it do not exist, rows of higher tiers are left out; default: the
            highest.
        order_by: Column to order rows by; default: period, then slices.
        descending: The largest first.
        limit: How many rows at most.
        snapshot: A snapshot from `open_snapshot`; default: the newest.
        home: Directory of grace-dbt's state; default `GRACE_HOME`, else `./data`.
        target: `postgres` asks the cube in the PostgreSQL of `GRACE_OPERATIONAL_URL` instead of a snapshot.

    Returns:
        Rows, and from when and where they are.

    Raises:
        GraceError: The question has no answer (exit code 2), nothing is published (3), or a definition is wrong (1).
    """
    from grace_dbt.metrics.answering import answer_to
    from grace_dbt.metrics.request import Question, request_of
    from grace_dbt.settings import Settings

    settings = Settings.load(home=home)
    with _opened(settings.home, snapshot, target) as cube:
        question = Question(
            metrics,
            by=by,
            where=where,
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
        )
        return answer_to(cube, request_of(cube.catalogue, cube.as_of, question), settings.home)


def available(
    *,
    clearance: str | None = None,
    snapshot: Snapshot | None = None,
    home: str | os.PathLike[str] | None = None,
    target: Target = "duckdb",
) -> dict[str, Metric]:
    """The metrics that exist for a clearance, by name.

    Args:
        clearance: As for `query`.
        snapshot: As for `query`.
        home: As for `query`.
        target: As for `query`.

    Raises:
        GraceError: There is no such clearance (exit code 2), or nothing is published (3).
    """
    with _opened(home, snapshot, target) as cube:
        return cube.catalogue.visible(clearance)


def metric(
    name: str,
    *,
    clearance: str | None = None,
    snapshot: Snapshot | None = None,
    home: str | os.PathLike[str] | None = None,
    target: Target = "duckdb",
) -> Metric:
    """What is known of one metric.

    Args:
        name: Its name.
        clearance: As for `query`.
        snapshot: As for `query`.
        home: As for `query`.
        target: As for `query`.

    Raises:
        GraceError: For this clearance there is none of that name (exit code 2), or nothing is published (3).
    """
    with _opened(home, snapshot, target) as cube:
        return cube.catalogue.metric(name, clearance)


@contextmanager
def _opened(
    home: str | os.PathLike[str] | None, snapshot: Snapshot | None, target: Target
) -> Iterator[Cube]:
    from grace_dbt.errors import ExitCode, GraceError
    from grace_dbt.metrics.cubes import SnapshotCube, newest_snapshot, postgres_cube
    from grace_dbt.settings import Settings

    if target not in ("duckdb", "postgres"):
        raise GraceError(
            f"Metrics are not asked of the target '{target}'.",
            "Use duckdb or postgres.",
            ExitCode.USAGE,
        )
    if snapshot is not None:
        yield SnapshotCube.of(snapshot)
    elif target == "postgres":
        with postgres_cube(Settings.load(home=home)) as cube:
            yield cube
    else:
        with newest_snapshot(Settings.load(home=home)) as newest:
            yield newest
