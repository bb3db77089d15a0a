"""What the last complete refresh left: by this the next one tells what it need not do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from grace_dbt.publishing import Published

NAME = "build.json"


@dataclass(frozen=True)
class BuildState:
    """A finished refresh in which nothing was left to do.

    Attributes:
        run_id: The run that published last.
        inputs: Version of all that decided on the cube beside the operational database.
        build: What tells whether the build file is the one that was left.
        snapshot: The same of the published file.
        url: The operational database, without its password.
        mark: What that database said of itself before it was read; None where it may have changed unseen since.
        clock: The run's clock, ISO 8601 in UTC.
        checked_at: When nothing newer was found for the last time, ISO 8601 in UTC.
        by_dbt: Whether dbt has had the build file open since, so that it may have written to it.
        due_at: When something becomes due by time alone, ISO 8601 in UTC; None for never.
        inexact: Tables over the row budget, and when each was last compared as a whole, ISO 8601 in UTC.
        shapes: Columns of each landed table as they were.
        probes: The query that asks each landed table for the sum of its rows.
    """

    run_id: str | None
    inputs: str
    build: str
    snapshot: str
    url: str
    mark: str | None
    clock: str
    checked_at: str
    by_dbt: bool = False
    due_at: str | None = None
    inexact: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    probes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, home: Path) -> Self | None:
        """The state that was kept under a GRACE_HOME; None where there is none that can be read."""
        try:
            return cls(**json.loads((home / NAME).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, home: Path) -> None:
        """Keep the state; whoever reads sees this one or the one before.

        Raises:
            OSError: It can't be written.
        """
        draft = home / f"{NAME}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2))
        draft.replace(home / NAME)

    def holds(self, settings: Settings, published: Published | None) -> bool:
        """Whether the build file and the published snapshot are still the ones that were left."""
        return (
            published is not None
            and self.build == build_identity(settings)
            and self.snapshot == file_identity(Path(published.snapshot_path))
        )

    def is_due(self, moment: datetime) -> bool:
        """Whether something has become due by time alone."""
        return self.due_at is not None and moment >= datetime.fromisoformat(self.due_at)

    def is_foreign(self, settings: Settings) -> bool:
        """Whether the build file was changed by other hands than dbt's."""
        return not self.by_dbt and self.build != build_identity(settings)


def note_dbt(home: Path) -> None:
    """Note that dbt opens the build file: what differs from now on was not done by other hands."""
    state = BuildState.read(home)
    if state is not None and not state.by_dbt:
        replace(state, by_dbt=True).write(home)


def next_clock(latest: datetime | None) -> datetime:
    """The clock of a new run, in UTC: now, and later than every run before, should the machine's clock have gone back.

    Args:
        latest: The clock of the latest run that is known.
    """
    now = datetime.now(UTC)
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def build_identity(settings: Settings) -> str:
    """The same of the build file, with the write-ahead log that would be applied to it; a run that ends leaves none."""
    log = settings.build_file.with_name(f"{settings.build_file.name}.wal")
    return " ".join(filter(None, map(file_identity, (settings.build_file, log))))


def file_identity(path: Path) -> str:
    """What tells whether a file is the one that was left; empty where there is none."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return ""
    return f"{facts.st_size}.{facts.st_mtime_ns}"
