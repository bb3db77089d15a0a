"""Refresh the cube: bring it up to date with what the operational database holds now, then publish a snapshot."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grace_dbt.build_file import damage_of, restore_history, set_aside_build
from grace_dbt.build_state import BuildState, build_identity, file_identity, next_clock
from grace_dbt.dbt_runner import DbtOutcome, run_dbt
from grace_dbt.errors import ExitCode, GraceError, unforeseen
from grace_dbt.locking import exclusive
from grace_dbt.operational.backend import WAIT_SECONDS
from grace_dbt.operational.marks import database_mark
from grace_dbt.operational.schema import require_tables
from grace_dbt.probing import probe, shapes_of, word_queries
from grace_dbt.publishing import Published, current, publish
from grace_dbt.redaction import redacted
from grace_dbt.runs import (
    FAILED,
    INTERRUPTED,
    PUBLISHED_RUNS,
    SUCCEEDED,
    UNCHANGED,
    Run,
    RunLog,
    clock_of,
)
from grace_dbt.settings import Settings, project_directory, project_fingerprint

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The cube and all that it stands on, and what says when it next changes by time alone. Contracts come after it, in one
# query; those of operational tables are `grace-dbt test`.
TESTS = ("resource_type:test", "resource_type:unit_test")
EVERYTHING = ("--select", "+path:models/cube", "int_time__due", "--exclude", *TESTS)
CONTRACTS = ("contracts_that_stop", "contracts_that_warn")
# Views say the same as before.
UNTOUCHED = ("config.materialized:view", *TESTS)

# Words of a failure that lies in the surroundings and not in the project, the data or the build file.
ENVIRONMENT_MARKS = (
    "is locked",
    "lock on file",
    "lock timeout",
    "no space",
    "file too large",
    "disk is full",
    "permission denied",
    "read-only",
    "too many open files",
)
# Words of a failure that lies in the build file.
# Words of a failure that may lie in the build file, or in the operational database: the file itself then says.
DAMAGE_MARKS = ("io error", "not a valid duckdb", "corrupt", "invalidated", "checksum")
RUN_TIME = "%Y-%m-%d %H:%M:%S.%f"

Progress = Callable[[str, int, int], None]


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


@dataclass(frozen=True)
class Scope:
    """What a refresh is asked for beyond what changed.

    Attributes:
        full: Rebuild every table from what the database holds now; snapshot tables keep their history.
        reconcile: Compare every row of every table, those over the row budget included.
        since: Read again the rows whose time lies at or after this one, whatever the row budget; UTC.
        until: And before this one; UTC.
        select: Models or operational tables in dbt's words: only what these stand on is read.
    """

    full: bool = False
    reconcile: bool = False
    since: datetime | None = None
    until: datetime | None = None
    select: Sequence[str] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it asks for what changed, and no more."""
        return self == Scope()

    @property
    def reads_again(self) -> bool:
        """Whether tables are read although nothing says that they changed."""
        return self.reconcile or self.since is not None or self.until is not None

    def variables(self) -> dict[str, Any]:
        """As landing reads it."""
        asked: dict[str, Any] = {"reconcile": True} if self.reconcile else {}
        if self.since:
            asked["backfill_from"] = self.since.isoformat()
        if self.until:
            asked["backfill_to"] = self.until.isoformat()
        return asked


def refresh(
    settings: Settings, scope: Scope | None = None, *, progress: Progress | None = None
) -> RefreshReport:
    """Bring the cube up to date and publish it; where nothing changed, nothing is run.

    Every table is looked at, and not just those that stand on what changed, where the former run did not end well or
    dbt was run beside it. Tables that another version of the project built are rebuilt as with `full`: their columns or
    rules may be others by now. A build file that is damaged, or was changed by other hands, is set aside and built
    anew, with the history of the dimensions as it was last published.

    Args:
        settings: The installation and its operational database.
        scope: What is asked for beyond what changed.
        progress: Called with a step, how many of its nodes are done, and how many there are (0 where nobody knows).

    Raises:
        GraceError: The database can't be read (exit code 3), or a model or cube contract failed (exit code 1). The
            snapshot published before stays current.
    """
    with exclusive(settings, "refresh"):
        return _Refresh(settings, scope or Scope(), progress).run()


def is_current(settings: Settings) -> bool:
    """Whether a refresh is known to find nothing new; takes no lock and starts nothing."""
    former = BuildState.read(settings.home)
    if former is None or former.mark is None or former.url != str(settings.operational):
        return False
    try:
        published = current(settings)
    except GraceError:
        return False
    mark = database_mark(settings.operational)
    return (
        former.holds(settings, published)
        and former.inputs == _inputs()
        and not former.is_due(datetime.now(UTC))
        and mark is not None
        and mark.text == former.mark
    )


class DamagedBuildError(GraceError):
    """The build file can't be gone on from."""


class _Refresh:
    """One refresh, while the lock is held."""

    def __init__(self, settings: Settings, scope: Scope, progress: Progress | None) -> None:
        self.settings, self.scope, self.progress = settings, scope, progress
        self.started = time.monotonic()
        self.log = RunLog(settings)
        self.warnings: list[str] = []
        self.built: list[str] = []
        self.proven: list[str] = []
        self.untouched: tuple[str, ...] = UNTOUCHED
        self.inputs = _inputs()
        self.former = BuildState.read(settings.home)
        self.published = self._published()
        self.began = datetime.now(UTC)
        self.clock = next_clock(self._latest_clock())
        # Taken before a row is read: what commits from now on is found by the next refresh.
        self.mark = database_mark(settings.operational)
        self.shapes: dict[str, str] = {}
        self.probes: dict[str, str] = {}

    def run(self) -> RefreshReport:
        """Do it, and record how it went."""
        self.log.settle(self.published)
        if self._is_settled() and self._says_unchanged():
            return self._unchanged(Run.begin(self.clock, _command_line(), "probe"))
        run = Run.begin(self.clock, _command_line(), self._mode())
        self.log.record(run)
        try:
            if run.mode == "incremental":
                try:
                    changed = self._what_changed()
                    if not changed and not self.scope.reads_again:
                        return self._unchanged(run)
                    self._build_on(changed)
                except DamagedBuildError:
                    run.mode = "complete"
            if run.mode != "incremental":
                self._build_everything(full=run.mode == "full")
            self._check()
            return self._publish(run)
        except GraceError as error:
            self._spoil(run, FAILED, error.message)
            raise
        except OSError as error:
            trouble = self._stopped(f"{error.filename}: {error.strerror}", ExitCode.ENVIRONMENT)
            self._spoil(run, FAILED, trouble.message)
            raise trouble from error
        except Exception as error:
            self._spoil(run, FAILED, unforeseen(error).message)
            raise unforeseen(error) from error
        except BaseException as error:
            self._spoil(run, INTERRUPTED, f"{type(error).__name__} {error}".strip())
            raise
        finally:
            if run.status != UNCHANGED:
                self.log.record(run)

    def _spoil(self, run: Run, status: str, reason: str) -> None:
        """Say why a run did not end well; once its snapshot is named, nothing can spoil it any more."""
        published = self._published()
        if published is None or published.run_id != run.run_id:
            run.snapshot, run.rows_by_model = None, {}
            run.end(status, reason)

    # What is to be done

    def _mode(self) -> str:
        """`full` builds tables anew; `incremental` goes on from a run that left nothing to do; else `complete`."""
        built = self.settings.build_file.exists()
        if self.scope.full or (built and _read(_stamp(self.settings)) != _rules()):
            return "full"
        return "incremental" if self._is_settled() else "complete"

    def _is_settled(self) -> bool:
        """Whether the former run left nothing to do, what it left is untouched, and nothing came due since."""
        former = self.former
        return (
            former is not None
            and former.inputs == self.inputs
            and former.url == str(self.settings.operational)
            and former.holds(self.settings, self.published)
            and not former.is_due(self.clock)
        )

    def _says_unchanged(self) -> bool:
        """Whether the database itself says that no transaction has ended since the former run began to read."""
        return (
            self.scope.is_plain
            and self.mark is not None
            and self.former is not None
            and self.former.mark == self.mark.text
        )

    # The steps

    def _what_changed(self) -> list[str]:
        """The tables that changed; those of which only landing can tell are landed for that."""
        tables = landed_tables()
        if self.scope.select:
            tables = self._selected(tables)
        assert self.former is not None
        self._tell("Looking for changes")
        try:
            found = probe(
                self.settings, tables, shapes=self.former.shapes, queries=self.former.probes
            )
        except Exception as error:
            raise self._explained(str(error)) from error
        self.shapes |= found.shapes
        self.probes |= found.queries
        asked = set(tables) if self.scope.reads_again else found.changed
        self.proven = sorted(table for table in set(tables) - asked if found.shapes[table])
        if not self.scope.reads_again and not found.unasked:
            return sorted(asked)
        self.untouched = ("path:models/landing", *UNTOUCHED)
        if asked:
            models = [f"land_{table}" for table in sorted(asked)]
            self._dbt("Reading tables", "run", "--select", *models)
        # One that is gone, or back, has other columns: that is told even where no row of it changed.
        other = {t for t in tables if found.shapes[t] != self.former.shapes.get(t)}
        return sorted(other.union(self._changed_by_this_run(tables)))

    def _selected(self, tables: list[str]) -> list[str]:
        """The operational tables on which the selected models stand."""
        words = [f"land_{word}" if word in tables else word for word in self.scope.select]
        ancestors = [f"+{word},path:models/landing" for word in words]
        command = ["ls", "--quiet", "--resource-type", "model", "--output", "name", "--select"]
        listing = run_dbt([*command, *ancestors], self.settings)
        if not listing.success:
            raise self._failure(listing)
        chosen = [table for table in tables if f"land_{table}" in listing.listed]
        if not chosen:
            raise GraceError(
                f"Nothing that is landed is selected by: {' '.join(self.scope.select)}.",
                "Name a table of `grace-dbt status`, one of `grace-dbt tables`, or anything that dbt can select.",
                ExitCode.USAGE,
            )
        return chosen

    def _changed_by_this_run(self, tables: Iterable[str]) -> list[str]:
        import duckdb

        with duckdb.connect(str(self.settings.build_file), read_only=True) as connection:
            return [
                table
                for table in tables
                if connection.execute(
                    f"select 1 from landing.land_{table} where _changed_at = cast(? as timestamp) limit 1",
                    [self.clock.strftime(RUN_TIME)],
                ).fetchone()
            ]

    def _build_on(self, changed: list[str]) -> None:
        """Bring all that stands on these tables up to date."""
        # That all rows were compared again is told as well.
        models = [f"land_{table}+" for table in changed] or ["cube_source_changes"]
        self._dbt("Building the cube", "build", "--select", *models, "--exclude", *self.untouched)

    def _build_everything(self, *, full: bool) -> None:
        """Look at every table; a build file that can't be gone on from is set aside, and built anew."""
        tables = landed_tables()
        require_tables(self.settings.operational, readable=tables)
        self.shapes = shapes_of(self.settings, tables)
        trouble = self._trouble_of_build()
        if trouble is not None:
            self._begin_anew(trouble)
        if full:
            _stamp(self.settings).unlink(missing_ok=True)  # one that is killed is begun again
        command = ("build", *EVERYTHING, *(["--full-refresh"] if full else []))
        try:
            self._dbt("Building the cube", *command)
        except DamagedBuildError as error:
            if trouble is not None:
                raise
            self._begin_anew(error.message)
            self._dbt("Building the cube", *command)
        _stamp(self.settings).write_text(_rules())
        self.probes = word_queries(self.settings, tables)

    def _trouble_of_build(self) -> str | None:
        """Why the build file can't be gone on from; empty where there is none yet, None where all is well."""
        if not self.settings.build_file.exists():
            return ""
        if self.former is not None and self.former.is_foreign(self.settings):
            return "it was changed by other hands"
        damage = damage_of(self.settings.build_file)
        if damage is not None and _is_outside(damage):
            raise self._stopped(f"The build file can't be opened: {damage}", ExitCode.ENVIRONMENT)
        return damage

    def _begin_anew(self, trouble: str) -> None:
        """Set a build file aside, and give the next one the history that was published last."""
        if trouble:
            aside = set_aside_build(self.settings)
            self.warnings.append(
                f"the build file could not be gone on from ({trouble}): it is kept as {aside.name}, and everything was"
                " built anew"
            )
        history = restore_history(self.settings)
        if history is None and trouble:
            self.warnings.append("no published history of the dimensions was found: it begins anew")

    def _dbt(self, step: str, *command: str) -> None:
        """Run dbt under this run's clock."""
        self._tell(step)
        variables = {
            "run_started_at": self.clock.strftime(RUN_TIME),
            "unchanged_tables": self.proven,
            "changes_since": self._published_clock(),
            **self.scope.variables(),
        }
        outcome = run_dbt(
            [*command, "--no-write-json"],
            self.settings,
            variables=variables,
            on_event=self._listener(step),
        )
        if not outcome.success:
            raise self._failure(outcome)
        self.built += [
            node.node.name
            for node in outcome.nodes
            if node.node.resource_type in ("model", "snapshot")
        ]

    def _check(self) -> None:
        """Hold what was built against its contracts, in one query; where one is broken they are asked one by one."""
        self._tell("Checking contracts")
        asked = {"contracts_of": self.built, "run_started_at": self.clock.strftime(RUN_TIME)}
        outcome = run_dbt(
            ["test", "--no-write-json", "--select", *CONTRACTS], self.settings, variables=asked
        )
        if outcome.success and not outcome.with_status("warn"):
            return
        self._tell("Asking which contract is broken")
        others = ("--exclude", "resource_type:unit_test", "source:*", "tag:batched")
        suspects = [
            f"{name},config.severity:warn" if outcome.success else name for name in self.built
        ]
        single = run_dbt(
            ["test", "--no-write-json", "--select", *suspects, *others],
            self.settings,
            variables=asked,
        )
        self.warnings += [f"{n.node.name}: {n.failures} rows" for n in single.with_status("warn")]
        if not outcome.success:
            raise self._failure(single if not single.success else outcome)

    # How it ends

    def _publish(self, run: Run) -> RefreshReport:
        """Publish the build with the run in it, and keep what the next refresh wants to know."""
        self._tell("Publishing")

        def fill(connection: DuckDBPyConnection, snapshot: str) -> None:
            """Give the snapshot the history of runs, this one as it will have ended."""
            _complete(run, connection)
            run.snapshot = snapshot
            run.end(SUCCEEDED)
            self._write_runs(connection, run)

        self.published = publish(
            self.settings, self.began, cube_tables(), run_id=run.run_id, fill=fill
        )
        run.end(SUCCEEDED)  # the log has the time that it took to the end
        self._keep_state()
        return self._report(run)

    def _write_runs(self, connection: DuckDBPyConnection, run: Run) -> None:
        """Fill `cube_etl_metadata`; a log that can't be read leaves this run alone in it."""
        try:
            earlier = self.log.latest(PUBLISHED_RUNS)
        except GraceError as error:
            self.log.trouble = error.message
            earlier = []
        rows = [run, *(other for other in earlier if other.run_id != run.run_id)]
        run.rows_by_model["cube_etl_metadata"] = len(rows)
        columns = connection.execute(
            "select column_name, data_type from duckdb_columns() where database_name = 'snapshot'"
            " and table_name = 'cube_etl_metadata' order by column_index"
        ).fetchall()
        lines = [{name: row.published_as(name) for name, _ in columns} for row in rows]
        connection.execute(
            "insert into snapshot.main.cube_etl_metadata by name"
            f" select unnest(from_json(?, '{json.dumps([dict(columns)])}'), recursive := true)",
            [json.dumps(lines)],
        )

    def _unchanged(self, run: Run) -> RefreshReport:
        """End a run that found nothing new: what is published is the answer."""
        self.published = self.published or current(self.settings)
        run.mode = "probe"
        run.end(UNCHANGED)
        self.log.record_unchanged(run)
        self._keep_state()
        return self._report(run)

    def _keep_state(self) -> None:
        """Keep what this run knows; a disk that is full costs the next run time, and nothing else."""
        former, published = self.former, self.published
        assert published is not None
        everywhere = not (self.scope.select or self.scope.since or self.scope.until)
        due_at, inexact = self._left_open()
        state = BuildState(
            run_id=published.run_id,
            inputs=self.inputs,
            build=build_identity(self.settings),
            snapshot=file_identity(Path(published.snapshot_path)),
            url=str(self.settings.operational),
            # A file that was written a moment ago may be written again under the same time.
            mark=self.mark.text if self.mark and self.mark.settled and everywhere else None,
            clock=self.clock.isoformat(),
            checked_at=self.began.isoformat()
            if everywhere or former is None
            else former.checked_at,
            due_at=due_at,
            inexact=inexact,
            shapes=self.shapes or (former.shapes if former else {}),
            probes=self.probes or (former.probes if former else {}),
        )
        try:
            state.write(self.settings.home)
        except OSError as error:
            self.warnings.append(f"what this run knows could not be kept for the next one: {error}")

    def _left_open(self) -> tuple[str | None, dict[str, str]]:
        """When the cube changes by time alone, and since when a table was not read as a whole."""
        import duckdb

        with duckdb.connect(str(self.settings.build_file), read_only=True) as connection:
            due = connection.execute("select due_at from staging.int_time__due").fetchall()
            windows = connection.execute(
                "select source_table, exact_at from landing.landing_reads where read_mode = 'window'"
            ).fetchall()
        moments = [moment.replace(tzinfo=UTC) for (moment,) in due if moment is not None]
        inexact = {table: exact.replace(tzinfo=UTC).isoformat() for table, exact in windows}
        return min(moments).isoformat() if moments else None, inexact

    def _report(self, run: Run) -> RefreshReport:
        import duckdb

        assert self.published is not None
        with duckdb.connect(self.published.snapshot_path, read_only=True) as connection:
            tiers, sources = read_report(connection)
        if run.status == UNCHANGED:
            sources = [replace(s, inserted=0, updated=0, deleted=0) for s in sources]
        newest = max((s.newest_at for s in sources if s.newest_at), default=None)
        fresh = None
        if newest is not None:
            moment = datetime.fromisoformat(newest).replace(tzinfo=UTC)
            fresh = (datetime.now(UTC) - moment).total_seconds()
        missing = [
            f"the table {s.table} is missing; "
            + (
                "nothing of it is in the cube"
                if run.mode == "full"
                else "what was read from it before stays"
            )
            for s in sources
            if s.missing
        ]
        trouble = [self.log.trouble] if self.log.trouble else []
        return RefreshReport(
            *(
                tiers,
                sources,
                self.published,
                run.run_id,
                run.mode,
                missing + self.warnings + trouble,
            ),
            *(time.monotonic() - self.started, fresh),
        )

    # What it stands on

    def _published(self) -> Published | None:
        """What is published; a damaged pointer is as good as none, and is written anew."""
        try:
            return current(self.settings)
        except GraceError:
            return None

    def _published_clock(self) -> str | None:
        """The clock of the run that published last: what landed since is new to whoever reads the next snapshot."""
        if self.published is None or not self.published.run_id or self.scope.full:
            return None
        clock = datetime.fromisoformat(clock_of(self.published.run_id))
        return clock.strftime(RUN_TIME)

    def _latest_clock(self) -> datetime | None:
        """The clock of the latest run that is known of, be it one that failed."""
        known = [self.former.clock] if self.former else []
        if self.published and self.published.run_id:
            known.append(clock_of(self.published.run_id))
        try:
            known += [run.clock for run in self.log.latest(1)]
        except GraceError as error:
            self.log.trouble = error.message
        return max(map(datetime.fromisoformat, known), default=None)

    def _tell(self, step: str, done: int = 0, total: int = 0) -> None:
        if self.progress is not None:
            self.progress(step, done, total)

    def _listener(self, step: str) -> Callable[[str, str, Any], None]:
        done = 0

        def listen(name: str, message: str, data: Any) -> None:
            nonlocal done
            if name == "LogStartLine":
                self._tell(step, done, data.total)
            elif name == "NodeFinished":
                done += 1

        return listen

    def _failure(self, outcome: DbtOutcome) -> GraceError:
        """Say in two lines what stopped a run; the rest is in dbt's log."""
        broken = outcome.with_status("error", "fail")
        reason = redacted(str(broken[0].message)) if broken else outcome.reason
        where = f"{broken[0].node.name} failed" if broken else "dbt failed"
        if outcome.with_status("fail"):
            return self._stopped(f"{where}: {reason[:300]}", ExitCode.BAD)
        return self._explained(reason, where)

    def _explained(self, reason: str, where: str = "The tables can't be compared") -> GraceError:
        """The error of a run that could not read or write, in whatever words it came."""
        if "database is locked" in reason:  # and would be for whoever asks it now
            return self._stopped(
                f"{where}: another process has {self.settings.operational} locked for more than {WAIT_SECONDS:.0f} s",
                ExitCode.ENVIRONMENT,
            )
        try:
            require_tables(self.settings.operational, readable=landed_tables())
        except GraceError as trouble:
            return GraceError(
                f"The run stopped: {trouble.message}",
                f"What was published before is still served. {trouble.hint}",
            )
        reason = redacted(" ".join(reason.split()))[:300]
        if _is_outside(reason):
            return self._stopped(f"{where}: {reason}", ExitCode.ENVIRONMENT)
        if not any(mark in reason.lower() for mark in DAMAGE_MARKS):
            return self._stopped(f"{where}: {reason}", ExitCode.BAD)
        damage = damage_of(self.settings.build_file)
        stopped = self._stopped(f"{where}: {reason}", ExitCode.ENVIRONMENT)
        return DamagedBuildError(damage, stopped.hint) if damage else stopped

    def _stopped(self, message: str, code: ExitCode) -> GraceError:
        log = self.settings.home / "logs" / "dbt.log"
        return GraceError(
            message, f"What was published before is still served. dbt's log: {log}", code
        )


def landed_tables() -> list[str]:
    """The operational tables that a refresh reads: each has a landing model of its name."""
    models = (project_directory() / "models" / "landing").glob("*/land_*.sql")
    return sorted(model.stem.removeprefix("land_") for model in models)


def cube_tables() -> list[str]:
    """The tables that are published: each has a model of its name."""
    return sorted(model.stem for model in (project_directory() / "models" / "cube").rglob("*.sql"))


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


def _complete(run: Run, connection: DuckDBPyConnection) -> None:
    """Say what a run found and made, from the draft of its snapshot."""
    _, sources = read_report(connection, "snapshot.main")
    run.rows_inserted = sum(s.inserted for s in sources)
    run.rows_updated = sum(s.updated for s in sources)
    run.rows_deleted = sum(s.deleted for s in sources)
    run.watermarks = {s.table: s.newest_at for s in sources if s.newest_at}
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'snapshot' order by table_name"
    ).fetchall()
    for (table,) in tables:
        [count] = connection.execute(
            f'select count(*) from snapshot.main."{table}"'
        ).fetchone() or [0]
        run.rows_by_model[table] = count


def _command_line() -> str:
    """What was typed, without a password; whom --notify names may be a secret as well."""
    words, hidden = ["grace-dbt"], False
    for word in sys.argv[1:]:
        words.append("***" if hidden else "--notify=***" if word.startswith("--notify=") else word)
        hidden = word == "--notify"
    return redacted(" ".join(words))


def _is_outside(reason: str) -> bool:
    return any(mark in reason.lower() for mark in ENVIRONMENT_MARKS)


def _rules() -> str:
    """The version of the project: tables that another one built have other columns, or were made by other rules."""
    return project_fingerprint("dbt_project.yml", "models", "macros", "snapshots")


def _inputs() -> str:
    """The version of all that decides on the cube beside the operational database."""
    return project_fingerprint(
        *("dbt_project.yml", "models", "macros", "snapshots", "seeds"),
        suffixes=(".yml", ".sql", ".csv"),
    )


def _stamp(settings: Settings) -> Path:
    """Where it is kept which version of the project built the tables."""
    return settings.home / "build.project"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
