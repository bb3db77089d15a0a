"""The audit models, and who uses them: on every target they say what verifying the database says, a refresh warns of it
and publishes, `status` tells it, and a process that refreshes for weeks verifies when it is time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from audit_oracle.attacks import Attacker
from audit_oracle.oracle import verify
from audit_oracle.writer import (
    AUDIT,
    JSON_TEXTS,
    LOG,
    Row,
    audit_logs,
    immutable_log,
    reseal,
    write,
)
from conftest import GraceCli, environment, prepare
from places import Place
from raw_drivers import RawDatabase
from test_postgres_target import dbt

from grace_dbt import schedule
from grace_dbt.audit.results import VerificationReport
from grace_dbt.audit.verify import verify_chains
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.notices import Notifier
from grace_dbt.refresh import refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.schedule import Scheduler, Vitals
from grace_dbt.settings import Settings
from grace_dbt.status import status

TABLES = (LOG, AUDIT)
TARGETS = {"sqlite": ("duckdb", "sqlite"), "postgres": ("postgres",)}
FINDINGS = ["chain", "segment", "position", "entry_id", "kind", "severity", "expected", "found"]
SEGMENTS = [
    *("chain", "segment", "first_position", "last_position", "entries", "head_hash"),
    *("verdict", "first_bad_position"),
]
RUN_CLOCK = datetime(2026, 1, 1)


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@dataclass
class Story:
    """A database whose chains are changed step by step, and the models that each target builds on it."""

    place: Place
    settings: Settings
    runs: int = 0
    log: list[Row] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)

    @property
    def targets(self) -> tuple[str, ...]:
        """Where the models are built."""
        return TARGETS[self.place.dialect]

    def write(self, table: str, rows: list[Row]) -> None:
        """Add entries."""
        (self.log if table == LOG else self.audit).extend(rows)
        with closing(RawDatabase.open(self.place)) as database:
            database.execute("begin")
            write(database, table, rows)
            database.execute("commit")

    def do(self, table: str, *attacks: Callable[[Attacker], object]) -> None:
        """Change a chain with all rights."""
        with closing(RawDatabase.open(self.place)) as database:
            attacker = Attacker(database, table, self.log if table == LOG else self.audit)
            for attack in attacks:
                attack(attacker)

    def build(self, *options: str) -> None:
        """Bring the models up to date, under a clock of its own."""
        self.runs += 1
        clock = RUN_CLOCK + timedelta(hours=self.runs)
        for target in self.targets:
            outcome = run_dbt(
                [
                    *(
                        "build",
                        "--select",
                        "+audit_chain_status",
                        "--exclude",
                        "resource_type:test",
                    ),
                    *options,
                ],
                self.settings,
                target=target,
                variables={"run_started_at": f"{clock:%Y-%m-%d %H:%M:%S.%f}"},
            )
            assert outcome.success, (target, outcome.errors)

    def rows(self, target: str, query: str) -> list[tuple[Any, ...]]:
        """Ask what a target built; `{staging}` is where intermediate models stand."""
        query = query.replace("{staging}", "" if target == "sqlite" else "staging.")
        if target == "postgres":
            assert self.place.server
            return self.place.server.execute("set search_path = cube", query)
        if target == "sqlite":
            with closing(sqlite3.connect(self.settings.home / "build.sqlite")) as lite:
                return lite.execute(query).fetchall()
        with duckdb.connect(str(self.settings.build_file), read_only=True) as duck:
            return duck.execute(query).fetchall()

    def newly_hashed(self, target: str) -> tuple[int, ...]:
        """How many entries of each chain the last run hashed."""
        clock = f"'{RUN_CLOCK + timedelta(hours=self.runs):%Y-%m-%d %H}'"
        counted = "select count(*) from {staging}int_audit__%s where substr(cast(_changed_at as %s), 1, 13) = %s"
        text = "text" if target != "duckdb" else "varchar"
        return tuple(self.rows(target, counted % (table, text, clock))[0][0] for table in TABLES)

    def agree(self) -> VerificationReport:
        """The models of each target, a verification and the oracle say the same; what the verification said."""
        report = verify_chains(self.settings, TABLES, record_result=False)
        told = [f for chain in report.chains for f in chain.findings]
        findings = plain([tuple(getattr(f, name) for name in FINDINGS) for f in told])
        segments = plain(
            [
                tuple(getattr(segment, name) for name in SEGMENTS)
                for chain in report.chains
                for segment in chain.segments
            ]
        )
        for target in self.targets:
            built = self.rows(target, f"select {', '.join(FINDINGS)} from audit_chain_findings")
            assert plain(built) == findings, target
            built = self.rows(target, f"select {', '.join(SEGMENTS)} from audit_chain_status")
            assert plain(built) == segments, target
            counted = self.rows(
                target, "select chain, segment, findings from audit_chain_status order by 1, 2"
            )
            assert sum(int(count) for _, _, count in counted) == sum(
                f.severity == "broken" for f in told
            )
        for chain in report.chains:
            with closing(RawDatabase.open(self.place)) as database:
                stored = Attacker(database, chain.chain, []).stored()
            broken = [(f.kind, f.position) for f in chain.findings if f.severity == "broken"]
            assert not verify(chain.chain, stored).objections(broken), (chain.chain, broken)
        return report


@pytest.fixture(scope="module")
def stories(
    fresh_place: Callable[[str], Place],
    planned_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Story]:
    """The story of an engine; its tests go on from each other."""

    @cache
    def find(dialect: str) -> Story:
        home = tmp_path_factory.mktemp(f"story-{dialect}") / "home"
        prepare(home, planned_home)
        place = fresh_place(dialect)
        return Story(place, Settings.load(place.url, home=home))

    return find


EACH = pytest.mark.parametrize("dialect", TARGETS)


@EACH
def test_clean_chains(dialect: str, stories: Callable[[str], Story]) -> None:
    story = stories(dialect)
    story.write(LOG, immutable_log(30))
    audit = audit_logs(25, 4, dialect=dialect)
    audit[3]["data_json"] = "[" * 300 + "]" * 300
    reseal(AUDIT, audit[:25])
    story.write(AUDIT, audit)
    story.build()
    report = story.agree()
    assert report.exit_code == 0
    assert {story.newly_hashed(target) for target in story.targets} == {(30, 29)}


@EACH
def test_only_what_was_landed_anew_is_hashed(dialect: str, stories: Callable[[str], Story]) -> None:
    story = stories(dialect)
    whole = immutable_log(34)
    story.write(LOG, whole[30:])
    restarted = [
        row
        for row in audit_logs(1, 1, 3, dialect=dialect, seed=5)
        if row["timestamp"] > "2025-11-04"
    ]
    story.write(AUDIT, restarted)
    story.build()
    report = story.agree()
    assert report.exit_code == 0
    assert [segment.entries for segment in report.chains[1].segments] == [25, 4, 3]
    assert {story.newly_hashed(target) for target in story.targets} == {(4, 3)}


@EACH
def test_edits_and_deletions(dialect: str, stories: Callable[[str], Story]) -> None:
    story = stories(dialect)
    story.do(LOG, lambda chain: chain.edit(7, "payload"), lambda chain: chain.delete(20))
    story.do(
        AUDIT,
        lambda chain: chain.edit(5, "data_json"),
        lambda chain: chain.delete(12, 13),
        lambda chain: chain.edit(27, "chain_hash"),
        lambda chain: chain.edit(30, "timestamp"),
    )
    story.build()
    log, audit = story.agree().chains
    assert [(f.kind, f.position) for f in log.findings] == [("content edited", 8), ("gap", 21)]
    assert [(f.kind, f.segment, f.position) for f in audit.findings if f.severity == "broken"] == [
        ("content edited", 1, 5),
        ("gap", 1, 12),
        ("hash edited", 2, 2),
        ("content edited", 3, 1),
    ]
    assert {story.newly_hashed(target) for target in story.targets} == {(1, 3)}


@EACH
def test_what_only_a_table_without_checks_holds(
    dialect: str, stories: Callable[[str], Story]
) -> None:
    """JSON of all kinds, forks, and entries under one key; then all of it built anew says the same."""
    story = stories(dialect)
    # What was edited is put right again.
    story.do(LOG, lambda chain: chain.update(7, payload=chain.rows[7]["payload"]))
    story.do(LOG, lambda chain: chain.loosen())
    story.do(AUDIT, lambda chain: chain.loosen())
    texts = [*JSON_TEXTS.values(), "[" * 500 + "]" * 500]
    start = datetime(2025, 12, 24)
    rows = [
        {
            **story.audit[0],
            "entry_id": f"exotic_{position}",
            "data_json": text,
            "chain_position": position,
            "timestamp": (start + timedelta(seconds=position)).isoformat(),
        }
        for position, text in enumerate(texts)
    ]
    rows[0]["previous_hash"] = "genesis"
    reseal(AUDIT, rows)
    said = ("[" * 5000 + "]" * 5000, '{"a": ', "", "{'a': 1}", '{"a": 01}')
    broken = dict(enumerate(said, 1))
    stored = [
        {**row, "data_json": broken.get(position, row["data_json"])}
        for position, row in enumerate(rows)
    ]
    story.write(AUDIT, stored)
    story.do(LOG, lambda chain: chain.insert({**chain.rows[10], "actor": "copied"}))
    fork = {**story.log[15], "id": 9999, "action": "forked"}
    reseal(LOG, [fork])
    story.write(LOG, [fork])
    story.build()
    log, audit = story.agree().chains
    assert {f.kind for f in log.findings} == {"gap", "duplicate position", "forked"}
    assert [
        f.position for f in audit.findings if f.segment == 4 and f.kind == "unreadable entry"
    ] == [*broken]
    assert {f.kind for f in audit.findings if f.segment == 4} == {"unreadable entry", "new segment"}
    incremental = {target: _everything(story, target) for target in story.targets}
    story.build("--full-refresh")
    story.agree()
    assert {target: _everything(story, target) for target in story.targets} == incremental


def _everything(story: Story, target: str) -> list[list[tuple[Any, ...]]]:
    """All rows of all audit models, but for the clocks."""
    columns = "_landing_id, entry_id, position, seal, previous, occurred_at, content, resealed, rebuilt, trouble"
    return [
        plain(story.rows(target, query))
        for query in (
            f"select {columns} from {{staging}}int_audit__immutable_log",
            f"select {columns} from {{staging}}int_audit__audit_logs",
            "select * from audit_chain_findings",
            "select * from audit_chain_status",
        )
    ]


# Refreshing


@dataclass
class Refreshed:
    """An installation that published clean chains."""

    place: Place
    settings: Settings
    log: list[Row]
    report: RefreshReport


@pytest.fixture(scope="module")
def refreshed(
    templates: Path, planned_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Refreshed:
    folder = tmp_path_factory.mktemp("refreshed")
    prepare(folder / "home", planned_home)
    place = Place(
        "sqlite", path=Path(shutil.copy(templates / "fresh.sqlite", folder / "grace.sqlite"))
    )
    settings = Settings.load(place.url, home=folder / "home")
    log = immutable_log(12)
    with closing(RawDatabase.open(place)) as database:
        write(database, LOG, log)
        write(database, AUDIT, audit_logs(6, 3, dialect="sqlite"))
    return Refreshed(place, settings, log, refresh(settings))


def test_a_refresh_publishes_what_it_found(refreshed: Refreshed) -> None:
    assert not [words for words in refreshed.report.warnings if "chain" in words]
    told = status(refreshed.settings)["audit"]
    assert told[LOG] == {"entries": 12, "verdict": "intact", "first_bad_position": None}
    assert told[AUDIT] == {"entries": 9, "verdict": "intact", "first_bad_position": None}
    assert refreshed.place.run("select count(*) from chain_verification") == [(0,)]
    verify_chains(refreshed.settings, in_database=False)
    told = status(refreshed.settings)["audit"]
    assert (told[LOG]["verified"]["verdict"], told[AUDIT]["verified"]["scope"]) == ("intact", "all")


@pytest.fixture(scope="module")
def tampered(refreshed: Refreshed) -> Refreshed:
    """The same after its next refresh: rows were edited, copied under their key, and made of nothing."""
    with closing(RawDatabase.open(refreshed.place)) as database:
        chain = Attacker(database, LOG, refreshed.log)
        chain.edit(4, "payload")
        chain.loosen()
        for _ in range(2):
            chain.insert({**refreshed.log[8], "actor": "copied"})
            chain.insert(dict.fromkeys(refreshed.log[0]))
    return replace(refreshed, report=refresh(refreshed.settings))


def test_a_refresh_warns_of_a_tampered_chain_and_publishes(
    refreshed: Refreshed, tampered: Refreshed
) -> None:
    report = tampered.report
    assert report.snapshot.run_id != refreshed.report.snapshot.run_id
    assert any("chain_is_intact" in words for words in report.warnings), report.warnings
    told = status(tampered.settings)["audit"]
    assert told[LOG]["verdict"] == "tampered"
    assert told[LOG]["first_bad_position"] == 5
    assert told[AUDIT]["verdict"] == "intact"
    with duckdb.connect(report.snapshot.snapshot_path, read_only=True) as snapshot:
        found = snapshot.execute(
            "select kind, count(*) from audit_chain_findings where chain = 'immutable_log' group by 1"
        ).fetchall()
    expected = verify_chains(tampered.settings, [LOG], record_result=False).chains[0]
    assert dict(found) == dict(expected.counts)
    assert {"content edited", "duplicate position", "unreadable entry"} <= {
        kind for kind, _ in found
    }


def scheduler(
    settings: Settings, troubles: list[str], verify_every: float = schedule.VERIFY_SECONDS
) -> Scheduler:
    return Scheduler(
        settings,
        60.0,
        Notifier(settings, ()),
        on_report=lambda report: None,
        on_error=lambda error: None,
        on_trouble=troubles.append,
        verify_every=verify_every,
    )


def looks(made: Scheduler, count: int, monkeypatch: pytest.MonkeyPatch) -> Vitals:
    """So many looks, none of which finds anything to refresh."""
    left = [None] * count

    def wait(seconds: float) -> None:
        left.pop()
        if not left:
            made._stop.set()

    with monkeypatch.context() as patched:
        patched.setattr(schedule, "is_current", lambda settings: True)
        patched.setattr(made._stop, "wait", wait)
        made.run()
    return made.vitals


def test_chains_are_verified_when_it_is_time(
    tampered: Refreshed, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, kept = tampered.settings, tampered.settings.home / "audit.json"
    kept.unlink(missing_ok=True)
    troubles: list[str] = []
    vitals = looks(scheduler(settings, troubles), 3, monkeypatch)
    assert vitals.tampered == [LOG]
    assert troubles == [
        "immutable_log was tampered with; see: grace-dbt audit verify --chain immutable_log"
    ]
    first = json.loads(kept.read_text())
    assert tampered.place.run("select count(*) from chain_verification") == [(0,)]
    # A process that is started anew knows when that was.
    assert looks(scheduler(settings, troubles), 2, monkeypatch).tampered == []
    assert (len(troubles), json.loads(kept.read_text())) == (1, first)
    looks(scheduler(settings, troubles, verify_every=0.0), 2, monkeypatch)
    assert len(troubles) == 3
    old = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    first[AUDIT]["full_at"] = old
    kept.write_text(json.dumps(first))
    looks(scheduler(settings, troubles), 1, monkeypatch)
    assert len(troubles) == 4
    assert json.loads(kept.read_text())[AUDIT]["full_at"] > old


@pytest.mark.parametrize("moment", ["yesterday", "2025-11-02T10:00:00", {}])
def test_a_moment_that_is_none(
    tampered: Refreshed, moment: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tampered.settings
    verify_chains(settings, [LOG], in_database=False)
    kept = settings.home / "audit.json"
    record = json.loads(kept.read_text())
    record[LOG]["full_at"] = moment
    kept.write_text(json.dumps(record))
    troubles: list[str] = []
    assert looks(scheduler(settings, troubles), 1, monkeypatch).tampered == [LOG]


def test_chains_that_can_not_be_verified_stop_nothing(
    tampered: Refreshed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grace.sqlite").write_bytes(b"no database" * 100)
    settings = Settings.load(f"sqlite:///{tmp_path / 'grace.sqlite'}", home=tmp_path / "home")
    settings.ensure_home()
    troubles: list[str] = []
    vitals = looks(scheduler(settings, troubles), 3, monkeypatch)
    assert vitals.looks == 3
    [trouble] = troubles
    assert trouble.startswith("the audit chains could not be verified: ")


def test_a_process_that_refreshes_and_verifies(tampered: Refreshed) -> None:
    home, file = tampered.settings.home, tampered.place.path
    assert file
    before = file.read_bytes()
    (home / "schedule.json").unlink(missing_ok=True)
    command = GraceCli(home).command(
        *("refresh", "--every", "1s", "--verify-every", "1s", "--db", tampered.place.url)
    )
    with subprocess.Popen(
        command, env=environment(home), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 90
        while (found := Vitals.read(home)) is None or found.looks < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.count("immutable_log was tampered with") >= 2
    assert "grace_refresh_tampered_chains 1\n" in (home / "schedule.prom").read_text()
    assert file.read_bytes() == before
    done = GraceCli(home).run("status", "--json", GRACE_OPERATIONAL_URL=tampered.place.url)
    assert json.loads(done.stdout)["audit"][LOG]["verified"]["verdict"] == "tampered"


def test_dbt_alone_verifies_its_embedded_sample(tmp_path: Path) -> None:
    home = tmp_path / "home"
    dbt(
        home,
        "duckdb",
        "build",
        "--select",
        "+operational_sample",
        "--exclude",
        "resource_type:test",
    )
    printed = dbt(home, "duckdb", "run-operation", "verify_audit_chain")
    line = next(line for line in printed.splitlines() if "audit-chains " in line)
    told = json.loads(line.partition("audit-chains ")[2])
    assert [(chain["chain"], chain["lacks"]) for chain in told] == [(LOG, []), (AUDIT, [])]
    assert all(s["verdict"] == "intact" for chain in told for s in chain["segments"])
    assert sum(s["entries"] for chain in told for s in chain["segments"]) > 0
