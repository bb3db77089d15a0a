"""Refresh the cube: bring it up to date with what the operational database holds now, then publish a snapshot."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grace_dbt.build_file import damage_of, restore_history, set_aside_build
from grace_dbt.build_state import BuildState, build_identity, file_identity, next_clock
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.errors import ExitCode, GraceError, unforeseen
from grace_dbt.locking import exclusive
from grace_dbt.metrics.checks import sound_definitions
from grace_dbt.metrics.definitions import PROJECT_FOLDER, Definitions, own_fingerprint
from grace_dbt.operational.marks import database_mark
from grace_dbt.operational.schema import require_tables
from grace_dbt.probing import probe, shapes_of, word_queries
from grace_dbt.publishing import Published, current, metrics_file, numbered, publish
from grace_dbt.refresh_failures import (
    DamagedBuildError,
    explained,
    failure_of,
    is_outside,
    stopped,
)
from grace_dbt.refresh_report import RefreshReport, read_report
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
from grace_dbt.settings import (
    PUBLISHED,
    Settings,
    cube_tables,
    landed_tables,
    project_fingerprint,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The cube and all that it stands on, and what says when it next changes by time alone. Contracts come after it, in one
# query; those of operational tables are `grace-dbt test`.
TESTS = ("resource_type:test", "resource_type:unit_test")
PATHS = tuple(f"+path:{folder}" for folder in PUBLISHED)
EVERYTHING = ("--select", *PATHS, "int_time__due", "--exclude", *TESTS)
CONTRACTS = ("contracts_that_stop", "contracts_that_warn")
# Views say the same as before.
UNTOUCHED = ("config.materialized:view", *TESTS)

RUN_TIME = "%Y-%m-%d %H:%M:%S.%f"

Progress = Callable[[str, int, int], None]


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

    def command(self) -> str:
        """As one would type it."""
        words = ["grace-dbt refresh"]
        words += ["--full"] if self.full else []
        words += ["--reconcile"] if self.reconcile else []
        words += [f"--from {self.since.isoformat()}"] if self.since else []
        words += [f"--to {self.until.isoformat()}"] if self.until else []
        words += [f"--select {shlex.quote(name)}" for name in self.select]
        return " ".join(words)

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
        and _has_metrics(published)
        and former.inputs == _inputs(settings)
        and not former.is_due(datetime.now(UTC))
        and mark is not None
        and mark.text == former.mark
    )


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
        self.inputs = _inputs(settings)
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
            return self._unchanged(Run.begin(self.clock, self.scope.command(), "probe"))
        run = Run.begin(self.clock, self.scope.command(), self._mode())
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
            trouble = stopped(
                f"{error.filename}: {error.strerror}", ExitCode.ENVIRONMENT, self.settings
            )
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
            and _has_metrics(self.published)
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
            raise explained(str(error), "The tables can't be compared", self.settings) from error
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
            raise failure_of(listing, self.settings)
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
        if damage is not None and is_outside(damage):
            raise stopped(
                f"The build file can't be opened: {damage}", ExitCode.ENVIRONMENT, self.settings
            )
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
            raise failure_of(outcome, self.settings)
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
            raise failure_of(outcome if single.success else single, self.settings)

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

        metrics, trouble = sound_definitions(self.settings)
        self.warnings += trouble
        self.published = publish(
            self.settings,
            self.began,
            cube_tables(),
            run_id=run.run_id,
            fill=fill,
            metrics=metrics.to_json(),
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
            # A selection looked at some tables alone.
            shapes={**(former.shapes if former else {}), **self.shapes},
            probes={**(former.probes if former else {}), **self.probes},
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
            tiers=tiers,
            sources=sources,
            snapshot=self.published,
            run_id=run.run_id,
            mode=run.mode,
            warnings=missing + self.warnings + trouble,
            seconds=time.monotonic() - self.started,
            freshness_seconds=fresh,
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
        if self.published is None or not self.published.run_id:
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


def _rules() -> str:
    """The version of the project: tables that another one built have other columns, or were made by other rules."""
    parts = ("dbt_project.yml", "models", "macros", "snapshots")
    return project_fingerprint(*parts, without=str(PROJECT_FOLDER))


def _inputs(settings: Settings) -> str:
    """The version of all that decides on what is published beside the operational database."""
    project = project_fingerprint(
        *("dbt_project.yml", "models", "macros", "snapshots", "seeds"),
        suffixes=(".yml", ".sql", ".csv"),
    )
    return f"{project}-{own_fingerprint(settings)}"


def _has_metrics(published: Published | None) -> bool:
    """Whether the definitions of a snapshot's metrics are there, and whole."""
    if published is None:
        return False
    snapshot = Path(published.snapshot_path)
    try:
        Definitions.from_json(metrics_file(snapshot.parent, numbered(snapshot)).read_text())
    except (OSError, ValueError):
        return False
    return True


def _stamp(settings: Settings) -> Path:
    """Where it is kept which version of the project built the tables."""
    return settings.home / "build.project"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
