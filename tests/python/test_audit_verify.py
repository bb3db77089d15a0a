"""`grace-dbt audit verify`: what it tells, how it ends, what it records, and that no database makes it fall."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from audit_oracle.attacks import ATTACKS, Attacker
from audit_oracle.writer import (
    AUDIT,
    LOG,
    Row,
    audit_logs,
    immutable_log,
    reseal,
    write,
)
from conftest import ENGINES, SERVERS, GraceCli, prepare, without_rights
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from places import Place
from raw_drivers import RawDatabase

from grace_dbt import dbt_runner
from grace_dbt.audit import verify
from grace_dbt.audit.anchors import make_anchor, write_anchor
from grace_dbt.audit.own_log import log_own
from grace_dbt.audit.results import ChainReport, VerificationReport
from grace_dbt.audit.verify import SHOWN, verify_chains
from grace_dbt.cli.audit import verify as verify_command
from grace_dbt.dbt_runner import run_dbt
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational import attach, backend
from grace_dbt.settings import Settings

RECORDS = "select * from chain_verification order by id"
TABLES = (LOG, AUDIT)


@dataclass
class Installation:
    """A database with the whole schema, and a GRACE_HOME that never verified it."""

    place: Place
    settings: Settings

    def write(self, table: str, rows: list[Row]) -> list[Row]:
        """Add entries."""
        with closing(RawDatabase.open(self.place)) as database:
            database.execute("begin")
            write(database, table, rows)
            database.execute("commit")
        return rows

    def clean(self, log: int = 12, *audit: int) -> dict[str, list[Row]]:
        """Write whole chains; what was written."""
        segments = audit or (9, 3)
        return {
            LOG: self.write(LOG, immutable_log(log)),
            AUDIT: self.write(AUDIT, audit_logs(*segments, dialect=self.place.dialect)),
        }

    def attack(self, rows: dict[str, list[Row]], table: str, attack: str) -> None:
        """Attack one of the chains that were written."""
        self.do(rows[table], table, ATTACKS[table][attack])

    def do(self, rows: list[Row], table: str, attack: Callable[[Attacker], object]) -> None:
        """Do something to a chain with all rights."""
        with closing(RawDatabase.open(self.place)) as database:
            attack(Attacker(database, table, rows))

    def verify(self, *chains: str, **options: Any) -> VerificationReport:
        """Verify these chains, or those that are there."""
        return verify_chains(self.settings, chains or None, **options)

    def log(self, **options: Any) -> ChainReport:
        """What is told of the immutable log."""
        return self.verify(LOG, **options).chains[0]

    def audit(self, **options: Any) -> ChainReport:
        """What is told of the audit log."""
        return self.verify(AUDIT, **options).chains[0]

    def forget(self) -> None:
        """As if this GRACE_HOME were new."""
        (self.settings.home / "audit.json").unlink(missing_ok=True)
        (self.settings.home / "audit.sqlite").unlink(missing_ok=True)

    @property
    def remembered(self) -> dict[str, Any]:
        """What is kept under GRACE_HOME."""
        found: dict[str, Any] = json.loads((self.settings.home / "audit.json").read_text())
        return found


@pytest.fixture(scope="module")
def home(planned_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One GRACE_HOME with the parsed project, for all tests."""
    made = tmp_path_factory.mktemp("verifying") / "home"
    prepare(made, planned_home)
    return made


@pytest.fixture
def grace(home: Path, fresh_sqlite: Path) -> Iterator[Installation]:
    place = Place("sqlite", path=fresh_sqlite)
    made = Installation(place, Settings.load(place.url, home=home))
    made.forget()
    yield made
    made.forget()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a lock."""
    for module in (backend, attach):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.5)


def kinds(chain: ChainReport) -> list[tuple[str, int | None]]:
    """Kind and position of each finding."""
    return [(finding.kind, finding.position) for finding in chain.findings]


def failure(call: Callable[[], object], code: ExitCode = ExitCode.ENVIRONMENT) -> str:
    """What the error says, in two lines."""
    with pytest.raises(GraceError) as caught:
        call()
    assert caught.value.exit_code == code, caught.value
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


# The result


def test_what_is_told(grace: Installation) -> None:
    rows = grace.clean()
    report = grace.verify()
    assert report.exit_code == 0
    log, audit = report.chains
    assert (log.chain, log.scope, log.verdict, log.entries) == (LOG, "all", "intact", 12)
    assert (audit.chain, audit.scope, audit.verdict, audit.entries) == (AUDIT, "all", "intact", 12)
    assert [(s.first_position, s.last_position, s.entries) for s in audit.segments] == [
        (0, 8, 9),
        (0, 2, 3),
    ]
    assert [s.head_hash for s in audit.segments] == [rows[AUDIT][n]["chain_hash"] for n in (8, 11)]
    assert kinds(audit) == [("new segment", 0)]
    assert (log.unproven, audit.unproven, report.anchors) == (12, 12, ())
    assert report.recorded == (
        f"chain_verification of {grace.place.url} and {grace.settings.home / 'audit.json'}"
    )
    data = json.loads(json.dumps(report.as_data()))
    assert data["exit_code"] == 0
    assert {*data} == {
        "url", "verified_at", "chains", "anchors", "recorded", "notes", "exit_code"
    }  # fmt: skip


def test_each_chain_is_verified_alone(grace: Installation) -> None:
    rows = grace.clean()
    grace.attack(rows, LOG, "edit payload")
    assert [chain.chain for chain in grace.verify(AUDIT).chains] == [AUDIT]
    assert grace.verify(AUDIT).exit_code == 0
    assert grace.verify(LOG).exit_code == 1
    both = grace.verify(AUDIT, LOG)
    assert [chain.chain for chain in both.chains] == [LOG, AUDIT]
    assert both.exit_code == 1
    assert "immutable_log, audit_logs, own" in str(
        failure_hint(lambda: grace.verify("imutable_log"), ExitCode.USAGE)
    )


def failure_hint(call: Callable[[], object], code: ExitCode) -> str:
    """The second line of an error."""
    with pytest.raises(GraceError) as caught:
        call()
    assert caught.value.exit_code == code
    return caught.value.hint


@pytest.fixture
def installed(
    home: Path, fresh_place: Callable[[str], Place]
) -> Iterator[Callable[[str], Installation]]:
    """An installation over a database of a dialect."""
    made: list[Installation] = []

    def make(dialect: str) -> Installation:
        place = fresh_place(dialect)
        made.append(Installation(place, Settings.load(place.url, home=home)))
        made[0].forget()
        return made[0]

    yield make
    made[0].forget()


@pytest.mark.parametrize("dialect", ENGINES)
def test_the_result_is_kept_in_the_database(
    dialect: str, installed: Callable[[str], Installation]
) -> None:
    """A row for each segment, on every engine, and none where the user may only read."""
    grace = installed(dialect)
    rows = grace.clean()
    head, first, second = rows[LOG][-1]["entry_hash"], rows[AUDIT][8], rows[AUDIT][11]
    report = grace.verify()
    moment = report.verified_at.removesuffix("+00:00")
    expected: list[tuple[Any, ...]] = [
        (1, 1, 12, head, moment, "immutable_log: intact"),
        (2, 0, 8, first["chain_hash"], moment, "intact"),
        (3, 0, 2, second["chain_hash"], moment, "intact"),
    ]
    assert grace.place.run(RECORDS) == expected

    grace.attack(rows, LOG, "edit payload")
    grace.do(rows[AUDIT], AUDIT, lambda chain: chain.edit(10, "category"))
    report = grace.verify()
    assert report.exit_code == 1
    assert [row[:4] + row[5:] for row in grace.place.run(RECORDS)[3:]] == [
        (4, 1, 12, head, "immutable_log: broken"),
        (5, 0, 8, first["chain_hash"], "intact"),
        (6, 0, 2, second["chain_hash"], "broken"),
    ]
    # The last place up to which all was well is kept.
    assert grace.remembered[LOG]["known"] == {"position": 12, "seal": head}
    assert grace.remembered[LOG]["first_bad_position"] == 7
    if dialect in SERVERS:
        _verify_as_a_reader(grace, rows)


def _verify_as_a_reader(grace: Installation, rows: dict[str, list[Row]]) -> None:
    """By a user who may only read; by one who may read nothing but the chains; by one who may read nothing."""
    server = grace.place.server
    assert server
    guest = f"auditor_{server.database}"
    if server.dialect == "postgres":
        who = guest
        server.execute(f"create role {guest} login password 'reader'")
    else:
        who = f"'{guest}'@'%'"
        server.execute(f"create user {who} identified by 'reader'")
    url = f"{server.scheme}://{guest}:reader@127.0.0.1:{server.port}/{server.database}"
    reader = Installation(grace.place, Settings.load(url, home=grace.settings.home))
    before = grace.place.run(RECORDS)
    if server.dialect == "postgres":
        # Another one is shown the tables, and may not look into them; MariaDB does not show them.
        assert "denied" in failure(reader.verify)
    else:
        failure(reader.verify)
    for tables in (TABLES, (*TABLES, "chain_verification")):
        server.execute(*(f"grant select on {table} to {who}" for table in tables))
        reader.forget()
        report = reader.verify()
        assert report.exit_code == 1
        assert report.recorded == str(grace.settings.home / "audit.json")
        [note] = report.notes
        assert note.startswith("not recorded in the database: ")
        assert reader.verify(AUDIT, since_checkpoint=True).exit_code == 1
    assert grace.place.run(RECORDS) == before
    assert "reader" not in (grace.settings.home / "audit.json").read_text()
    # What the database itself remembers is found by who may read it.
    grace.do(rows[LOG], LOG, lambda chain: chain.update(6, payload=rows[LOG][6]["payload"]))
    reader.forget()
    assert reader.log(since_checkpoint=True).scope == "partial: nothing behind 12"


def test_a_file_that_may_only_be_read(grace: Installation, home: Path) -> None:
    assert grace.place.path
    rows = grace.clean()
    grace.attack(rows, LOG, "edit payload")
    without_rights()
    folder = grace.place.path.parent / "locked"
    folder.mkdir()
    file = Path(shutil.copy(grace.place.path, folder / "grace.sqlite"))
    file.chmod(0o444)
    folder.chmod(0o555)
    try:
        done = GraceCli(home).run(
            "audit", "verify", "--json", "--db", f"sqlite:///{file}", rights=False
        )
        assert done.returncode == 1, done.stderr
        report = json.loads(done.stdout)
        assert report["recorded"] == str(home / "audit.json")
        [note] = report["notes"]
        assert note.startswith("not recorded in the database: ")
        assert [path.name for path in folder.iterdir()] == ["grace.sqlite"]
    finally:
        folder.chmod(0o755)
    with closing(sqlite3.connect(file)) as lite:
        assert lite.execute(RECORDS).fetchall() == []


def test_a_result_that_is_not_to_be_recorded(grace: Installation) -> None:
    grace.clean()
    assert grace.verify(record_result=False).recorded == "nowhere"
    assert not (grace.settings.home / "audit.json").exists()
    assert grace.verify(in_database=False).recorded == str(grace.settings.home / "audit.json")
    assert grace.place.run(RECORDS) == []


@pytest.mark.parametrize(
    "spoil",
    [
        "drop table chain_verification",
        "alter table chain_verification drop column verified_at",
        "alter table chain_verification rename column chain_hash to other",
    ],
)
def test_a_table_of_records_that_is_another_one(grace: Installation, spoil: str) -> None:
    grace.clean()
    grace.place.run(
        *(f'drop trigger "{name}"' for (name,) in grace.place.run(
            "select name from sqlite_master where type = 'trigger' and tbl_name = 'chain_verification'"
        )),
        spoil,
    )  # fmt: skip
    for options in ({}, {"since_checkpoint": True}):
        report = grace.verify(**options)
        assert report.exit_code == 0
        assert report.recorded == str(grace.settings.home / "audit.json")
        assert any(note.startswith("not recorded in the database: ") for note in report.notes)
        grace.forget()


# What can't be verified


def test_a_chain_that_the_database_does_not_have(grace: Installation) -> None:
    rows = grace.clean()
    grace.place.run("drop table audit_logs")
    report = grace.verify()
    assert (report.exit_code, report.notes) == (0, ("the database has no audit_logs",))
    assert [chain.chain for chain in report.chains] == [LOG]
    asked = grace.verify(AUDIT)
    assert asked.exit_code == 3
    assert (asked.chains[0].verdict, asked.chains[0].trouble) == (
        "unverified",
        "there is no audit_logs",
    )
    # That it was asked for does not make it one that is to be there.
    assert grace.verify().exit_code == 0
    # A chain that is bad counts for more than one that is gone.
    grace.attack(rows, LOG, "edit payload")
    assert grace.verify(LOG, AUDIT).exit_code == 1


@pytest.mark.parametrize("since_checkpoint", [False, True])
def test_a_chain_that_is_gone(grace: Installation, since_checkpoint: bool) -> None:
    grace.clean()
    grace.verify()
    grace.place.run("drop table audit_logs")
    for _ in range(2):  # it is not forgotten by being looked for
        report = grace.verify(since_checkpoint=since_checkpoint)
        assert report.exit_code == 3
        assert [chain.verdict for chain in report.chains] == ["intact", "unverified"]


def test_a_chain_that_an_anchor_has_seen(grace: Installation, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    grace.clean()
    key, anchor = Ed25519PrivateKey.generate(), tmp_path / "anchor.json"
    write_anchor(anchor, make_anchor(grace.settings, TABLES, key))
    options = {"anchors": [anchor], "public_key": key.public_key()}
    report = grace.verify(**options)
    assert (report.exit_code, [check.holds for check in report.anchors]) == (0, [True] * 3)
    assert [chain.unproven for chain in report.chains] == [0, 0]
    grace.place.run("drop table audit_logs")
    grace.forget()
    report = grace.verify(**options)
    assert report.exit_code == 3
    assert [check.holds for check in report.anchors] == [True, False, False]
    assert "not both" in failure_hint(
        lambda: grace.verify(since_checkpoint=True, **options), ExitCode.USAGE
    )
    assert "--public-key" in failure_hint(
        lambda: grace.verify(anchors=[anchor], public_key=None), ExitCode.USAGE
    )


def test_no_chain_at_all(grace: Installation, tmp_path: Path) -> None:
    grace.place.run("drop table audit_logs", "drop table immutable_log")
    assert "has no audit chain" in failure(grace.verify)
    empty = replace(grace.settings, operational=_url(tmp_path / "empty.sqlite"))
    (tmp_path / "empty.sqlite").touch()
    assert "has no audit chain" in failure(lambda: verify_chains(empty))


def _url(path: Path) -> Any:
    return Settings.load(f"sqlite:///{path}").operational


def test_a_file_that_is_no_database(grace: Installation, tmp_path: Path) -> None:
    assert grace.place.path
    grace.clean()
    garbage, cut, spoiled = (tmp_path / f"{name}.sqlite" for name in ("garbage", "cut", "spoiled"))
    garbage.write_bytes(os.urandom(40_000))
    whole = grace.place.path.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with closing(sqlite3.connect(grace.place.path)) as lite:
        [(page,)] = lite.execute(
            "select rootpage from sqlite_master where name = 'immutable_log'"
        ).fetchall()
        [(size,)] = lite.execute("pragma page_size").fetchall()
    start = (page - 1) * size
    spoiled.write_bytes(whole[:start] + os.urandom(size) + whole[start + size :])
    told = verify_chains(replace(grace.settings, operational=_url(spoiled)))
    assert [chain.verdict for chain in told.chains] == ["unverified", "intact"]
    assert told.exit_code == ExitCode.ENVIRONMENT
    assert spoiled.name in (told.chains[0].trouble or "")
    for path in (garbage, cut, tmp_path / "none.sqlite", tmp_path):
        before = path.read_bytes() if path.is_file() else None
        settings = replace(grace.settings, operational=_url(path))
        assert path.name in failure(partial(verify_chains, settings)), path.name
        assert (path.read_bytes() if path.is_file() else None) == before


def test_columns_that_are_missing(grace: Installation) -> None:
    grace.clean()
    assert grace.verify().exit_code == 0
    grace.do([], LOG, lambda chain: None)
    # What is not under a seal may be missing.
    grace.place.run(
        "drop index ix_immutable_log__subsystem", "alter table immutable_log drop column subsystem"
    )
    assert (grace.log().verdict, grace.log().entries) == ("intact", 12)
    grace.place.run("alter table immutable_log drop column payload")
    grace.place.run("alter table immutable_log drop column result")
    log, audit = grace.verify().chains
    assert (log.verdict, log.trouble) == ("unverified", "there is no payload, result")
    assert audit.verdict == "intact"


def test_a_database_that_somebody_has_locked(grace: Installation, impatient: None) -> None:
    grace.clean()
    with closing(sqlite3.connect(str(grace.place.path), isolation_level=None)) as other:
        other.execute("begin immediate")
        report = grace.verify()
        assert report.exit_code == 0
        [note] = report.notes
        assert note.startswith("not recorded in the database: ")
        assert "locked" in note
        other.execute("rollback")
        other.execute("begin exclusive")
        assert "locked" in failure(grace.verify)
        other.execute("rollback")
    assert grace.verify().notes == ()


# Checkpoints


def test_only_what_is_new(grace: Installation) -> None:
    rows = immutable_log(20)
    grace.write(LOG, rows[:12])
    first = grace.verify(LOG, since_checkpoint=True)
    assert (first.chains[0].scope, first.chains[0].entries) == ("all", 12)
    assert first.notes == ("immutable_log has no checkpoint yet: all of it was verified",)
    nothing = grace.log(since_checkpoint=True)
    assert (nothing.scope, nothing.verdict, nothing.entries) == (
        "partial: nothing behind 12",
        "intact",
        0,
    )
    grace.write(LOG, rows[12:15])
    part = grace.verify(LOG, since_checkpoint=True)
    assert (part.chains[0].scope, part.chains[0].entries, part.notes) == ("partial: 13..15", 3, ())
    assert grace.remembered[LOG]["known"] == {"position": 15, "seal": rows[14]["entry_hash"]}
    assert [row[1:4] for row in grace.place.run(RECORDS)] == [
        (1, 12, rows[11]["entry_hash"]),
        (13, 15, rows[14]["entry_hash"]),
    ]
    grace.write(LOG, rows[15:])
    # What is edited before the checkpoint is seen by a look at all alone.
    grace.do(rows, LOG, lambda chain: chain.edit(5, "payload"))
    part = grace.verify(LOG, since_checkpoint=True)
    assert (part.chains[0].scope, part.chains[0].verdict) == ("partial: 16..20", "intact")
    assert kinds(grace.log()) == [("content edited", 6)]
    assert grace.log(since_checkpoint=True).verdict == "intact"


@pytest.mark.parametrize(
    ("index", "column", "kind"),
    [
        (16, "payload", "content edited"),
        (15, "previous_hash", "link broken"),
        (19, "entry_hash", "content edited"),
    ],
)
def test_what_is_edited_behind_the_checkpoint(
    grace: Installation, index: int, column: str, kind: str
) -> None:
    rows = immutable_log(20)
    grace.write(LOG, rows[:15])
    grace.verify()
    grace.write(LOG, rows[15:])
    grace.do(rows, LOG, lambda chain: chain.edit(index, column))
    told = grace.log(since_checkpoint=True)
    assert (told.scope, told.verdict) == ("partial: 16..20", "tampered")
    assert kinds(told) == [(kind, index + 1)]
    # The checkpoint stays where it was.
    assert grace.remembered[LOG]["known"]["position"] == 15


def test_a_gap_behind_the_checkpoint(grace: Installation) -> None:
    rows = immutable_log(20)
    grace.write(LOG, rows[:15])
    grace.verify()
    grace.write(LOG, rows[16:])
    told = grace.log(since_checkpoint=True)
    assert (told.verdict, kinds(told)) == ("tampered", [("gap", 16)])


def test_the_entry_of_the_checkpoint_is_changed(grace: Installation) -> None:
    rows = immutable_log(20)
    grace.write(LOG, rows[:15])
    grace.verify()
    changed = [{**rows[14], "actor": "other"}, *map(dict, rows[15:])]
    reseal(LOG, changed)
    grace.do(rows[:15], LOG, lambda chain: chain.put(changed[:1], 14))
    for more in ([], changed[1:]):
        grace.write(LOG, more)
        told = grace.log(since_checkpoint=True)
        assert told.verdict == "tampered"
        assert ("rewritten", 15) in kinds(told)
    # A look at all can't know who is right: the hashes are valid.
    whole = grace.log()
    assert (whole.verdict, kinds(whole)) == ("intact", [("rewritten", 15)])
    assert whole.findings[0].severity == "warning"
    assert (whole.findings[0].expected, whole.findings[0].found) == (
        rows[14]["entry_hash"],
        changed[0]["entry_hash"],
    )
    # It is told until somebody says that it is right.
    assert kinds(grace.log()) == [("rewritten", 15)]
    grace.forget()
    assert grace.log().findings == ()


@pytest.mark.parametrize("left", [0, 10, 14])
def test_the_end_is_cut(grace: Installation, left: int) -> None:
    rows = immutable_log(15)
    grace.write(LOG, rows)
    assert grace.verify(LOG).exit_code == 0
    grace.do(rows, LOG, lambda chain: chain.delete(*range(left, 15)))
    told = grace.log(since_checkpoint=True)
    assert (told.verdict, kinds(told)) == ("tampered", [("tail cut", 15)])
    whole = grace.log()
    assert (whole.verdict, [f.severity for f in whole.findings]) == ("intact", ["warning"])
    assert kinds(whole) == [("tail cut", 15)]


def test_a_new_home_takes_what_the_database_remembers(grace: Installation) -> None:
    rows = grace.clean(15, 6)
    grace.verify()
    (grace.settings.home / "audit.json").unlink()
    report = grace.verify(since_checkpoint=True)
    assert [chain.scope for chain in report.chains] == [
        "partial: nothing behind 15",
        "partial: nothing behind 5",
    ]
    assert report.notes == ()
    # One that was broken is no place to go on from.
    grace.do(rows[LOG], LOG, lambda chain: chain.edit(14, "payload"))
    grace.verify(LOG)
    grace.forget()
    assert grace.log(since_checkpoint=True).scope == "partial: nothing behind 15"


def test_several_segments_are_verified_as_a_whole(grace: Installation) -> None:
    grace.clean(3, 6)
    grace.verify()
    more = [row for row in audit_logs(6, 3, dialect="sqlite") if row["timestamp"] > "2025-11-03"]
    grace.write(AUDIT, more)
    report = grace.verify(AUDIT, since_checkpoint=True)
    assert (report.chains[0].scope, report.chains[0].entries) == ("all", 9)
    assert report.notes == ("audit_logs has several segments: all of it was verified",)


@pytest.mark.parametrize(
    ("position", "seal_found"),
    [
        (5, "' or 1 = 1 --"),
        (5, "A" * 64),
        (5, "a" * 64 + "\n"),
        (5, None),
        (5, b"\xff" * 32),
        ("5; drop table immutable_log", "a" * 64),
        (None, "a" * 64),
        (5.5, "a" * 64),
        (b"\x00", "a" * 64),
        (-7, "a" * 64),
    ],
)
def test_a_hostile_checkpoint_is_none(
    grace: Installation, position: object, seal_found: object
) -> None:
    grace.clean(6, 3)
    with closing(sqlite3.connect(str(grace.place.path))) as lite:
        lite.execute("drop table chain_verification")
        lite.execute(
            "create table chain_verification (id integer, start_position, end_position, chain_hash,"
            " verified_at, verification_result)"
        )
        for result in ("immutable_log: intact", "intact"):
            lite.execute(
                "insert into chain_verification values (1, 0, ?, ?, '2025', ?)",
                [position, seal_found, result],
            )
        lite.commit()
    report = grace.verify(since_checkpoint=True)
    assert report.exit_code == 0
    assert [chain.scope for chain in report.chains] == ["all", "all"]
    assert [chain.findings for chain in report.chains] == [(), ()]
    assert len(report.notes) == 2


def test_a_checkpoint_far_behind_the_end(grace: Installation) -> None:
    """Whoever writes into the table of records can't make a look at a part call a chain intact."""
    grace.clean(6, 3)
    grace.place.run(
        "insert into chain_verification values"
        f" (1, 0, 400000000000000000, '{'a' * 64}', '2025', 'immutable_log: intact')"
    )
    report = grace.verify(since_checkpoint=True)
    assert report.exit_code == 1
    assert kinds(report.chains[0]) == [("tail cut", 400000000000000000)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"immutable_log": 5}',
        '{"immutable_log": {"url": 1}}',
        "\x00",
    ],
)
def test_a_damaged_record_is_none(grace: Installation, text: str) -> None:
    grace.clean(6, 3)
    grace.place.run("drop table chain_verification")
    (grace.settings.home / "audit.json").write_text(text)
    report = grace.verify(LOG, since_checkpoint=True)
    assert (report.exit_code, report.chains[0].scope) == (0, "all")
    assert grace.remembered[LOG]["known"]["position"] == 6


@pytest.mark.parametrize(
    "known",
    [None, 5, [1], {}, {"position": "x", "seal": "a" * 64}, {"position": 3, "seal": "' or 1 = 1"}],
)
def test_a_damaged_place_is_none(grace: Installation, known: object) -> None:
    grace.clean(6, 3)
    grace.verify(in_database=False)
    records = grace.remembered
    records[LOG]["known"] = known
    (grace.settings.home / "audit.json").write_text(json.dumps(records))
    report = grace.verify(LOG, since_checkpoint=True)
    assert (report.exit_code, report.chains[0].scope) == (0, "all")


def test_a_record_that_is_no_text(grace: Installation) -> None:
    grace.clean(6, 3)
    (grace.settings.home / "audit.json").write_bytes(b"\xff\xfe{")
    assert grace.verify(since_checkpoint=True).exit_code == 0
    assert grace.remembered[LOG]["verdict"] == "intact"


def test_another_database_begins_anew(grace: Installation, tmp_path: Path) -> None:
    grace.clean(6, 3)
    assert grace.place.path
    other = Installation(
        Place("sqlite", path=Path(shutil.copy(grace.place.path, tmp_path / "other.sqlite"))),
        replace(grace.settings, operational=_url(tmp_path / "other.sqlite")),
    )
    grace.verify()
    assert other.log(since_checkpoint=True).scope == "all"
    assert other.remembered[LOG]["url"] == other.place.url


def test_rewritten_with_valid_hashes(grace: Installation) -> None:
    """The chain alone can't show it; that it is another one than was verified before is told."""
    rows = grace.clean()
    grace.verify()
    for table in TABLES:
        grace.attack(rows, table, "rewrite from the middle")
    report = grace.verify()
    assert report.exit_code == 0
    for chain, position in zip(report.chains, (12, 8), strict=True):
        assert chain.verdict == "intact"
        [found] = [f for f in chain.findings if f.kind == "rewritten"]
        assert (found.severity, found.position) == ("warning", position)
        assert chain.counts["rewritten"] == 1
    assert [row[5] for row in grace.place.run(RECORDS)[3:]] == [
        "immutable_log: intact",
        "intact",
        "intact",
    ]


# The log of its own


def test_the_own_log(grace: Installation) -> None:
    grace.clean()
    report = grace.verify("own")
    assert report.exit_code == 3
    assert report.chains[0].verdict == "unverified"
    assert "nothing was logged yet" in str(report.chains[0].trouble)
    home = grace.settings.home
    assert not (home / "audit.sqlite").exists()
    own = Installation(Place("sqlite", path=home / "audit.sqlite"), grace.settings)
    assert grace.place.path
    shutil.copy(grace.place.path, home / "audit.sqlite")
    rows = immutable_log(12)
    report = own.verify("own")
    assert (report.exit_code, report.chains[0].chain, report.chains[0].entries) == (0, "own", 12)
    assert report.recorded == str(home / "audit.json")
    assert own.place.run(RECORDS) == []
    assert own.verify("own", since_checkpoint=True).chains[0].scope == "partial: nothing behind 12"
    own.do(rows, LOG, lambda chain: chain.edit(3, "payload"))
    report = own.verify("own", LOG)
    assert [(chain.chain, chain.verdict) for chain in report.chains] == [
        (LOG, "intact"),
        ("own", "tampered"),
    ]
    assert [finding.chain for finding in report.chains[1].findings] == ["own"]


# Whatever a database may hold


def _looser(grace: Installation, table: str) -> None:
    """Take keys and checks away, so that anything can be stored."""
    grace.do([], table, lambda chain: None)
    assert grace.place.path
    with closing(sqlite3.connect(grace.place.path, isolation_level=None)) as lite:
        [(sql,)] = lite.execute("select sql from sqlite_master where name = ?", [table]).fetchall()
        lite.execute(f"drop table {table}")
        names = re.findall(r'^\s+"(\w+)"', sql, re.MULTILINE)
        lite.execute(f"create table {table} ({', '.join(dict.fromkeys(names))})")


def test_a_megabyte_in_one_entry(grace: Installation) -> None:
    rows = immutable_log(5)
    rows[2]["payload"] = "ä" * 500_000 + "x" * 1_000_000
    reseal(LOG, rows)
    grace.write(LOG, rows)
    audit = audit_logs(4, dialect="sqlite")
    audit[1]["data_json"] = json.dumps({"z": ["ä'\\" * 100_000] * 4, "a": list(range(60_000))})
    reseal(AUDIT, audit)
    grace.write(AUDIT, audit)
    assert grace.verify().exit_code == 0
    grace.do(rows, LOG, lambda chain: chain.update(2, payload=rows[2]["payload"][:-1] + "y"))
    grace.do(audit, AUDIT, lambda chain: chain.update(1, data_json=audit[1]["data_json"] + " "))
    log, told = grace.verify().chains
    assert kinds(log) == [("content edited", 3)]
    assert kinds(told) == []  # a blank says nothing


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("[" * 300 + "]" * 300, True),
        ("[" * 5000 + "]" * 5000, False),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, False),
        ('{"a": 1', False),
        ("{'a': 1}", False),
        ("", False),
        ("\ufeff{}", False),
        ('{"a": "\x01"}', False),
        ('{"a": ' + "9" * 5000 + "}", False),
    ],
)
def test_json_that_python_would_not_read(grace: Installation, text: str, is_read: bool) -> None:
    _looser(grace, AUDIT)
    rows = audit_logs(6, dialect="sqlite")
    if is_read:
        rows[2]["data_json"] = text
        reseal(AUDIT, rows)
    grace.write(
        AUDIT, [{**row, "data_json": text} if n == 2 else row for n, row in enumerate(rows)]
    )
    assert kinds(grace.audit()) == ([] if is_read else [("unreadable entry", 2)])


@pytest.mark.parametrize("column", ["actor", "payload", "entry_hash", "previous_hash", "timestamp"])
def test_bytes_that_are_no_text(grace: Installation, column: str) -> None:
    rows = immutable_log(6)
    grace.write(LOG, rows)
    grace.do(rows, LOG, lambda chain: None)
    grace.place.run(
        f"update immutable_log set {column} = cast(x'68e4ff' as text) where sequence = 4"
    )
    told = grace.log()
    expected = {
        "actor": ("unreadable entry", 4),
        "payload": ("unreadable entry", 4),
        "entry_hash": ("hash edited", 4),
        "previous_hash": ("link broken", 4),
    }
    assert kinds(told) == ([expected[column]] if column in expected else [])


def test_characters_that_end_a_text_elsewhere(grace: Installation) -> None:
    rows = immutable_log(6)
    rows[2]["payload"], rows[3]["actor"] = "before\x00behind", "\x00"
    reseal(LOG, rows)
    grace.write(LOG, rows)
    assert grace.log().findings == ()
    grace.do(rows, LOG, lambda chain: chain.update(2, payload="before\x00other"))
    assert kinds(grace.log()) == [("content edited", 3)]
    grace.do(rows, LOG, lambda chain: chain.update(2, payload="before"))
    assert kinds(grace.log()) == [("content edited", 3)]


@pytest.mark.parametrize(
    ("stored", "finding"),
    [
        ("3", None),
        (3.0, ("gap", 3)),
        (b"3", ("gap", 3)),
        ("3rd", ("gap", 3)),
        (3.5, ("gap", 3)),
        ("", ("gap", 3)),
        (None, ("gap", 3)),
        (-3, ("gap", 3)),
        (2**63 - 1, ("gap", 3)),
        ("1e30", ("gap", 3)),
        (float("inf"), ("gap", 3)),
    ],
)
def test_a_position_that_is_no_whole_number(
    grace: Installation, stored: object, finding: tuple[str, int] | None
) -> None:
    _looser(grace, LOG)
    rows = immutable_log(6)
    grace.write(LOG, rows)
    with closing(sqlite3.connect(str(grace.place.path))) as lite:
        lite.execute("update immutable_log set sequence = ? where sequence = 3", [stored])
        lite.commit()
    told = grace.log()
    if finding is None:
        assert told.findings == ()
        return
    assert finding in kinds(told)
    assert len(told.findings) <= 3
    assert told.verdict == "tampered"


def test_positions_of_18_digits(grace: Installation) -> None:
    _looser(grace, LOG)
    start = 123_456_789_012_345_678
    rows = immutable_log(6)
    for at, row in enumerate(rows):
        row["sequence"] = start + at
    reseal(LOG, rows)
    grace.write(LOG, rows)
    told = grace.log()
    assert kinds(told) == [("gap", 1)]
    assert told.findings[0].expected == f"1..{start - 1}"
    assert (told.segments[0].first_position, told.segments[0].last_position) == (start, start + 5)


@pytest.mark.parametrize("table", TABLES)
def test_keys_that_are_none(grace: Installation, table: str) -> None:
    """Rows under one key, and under none."""
    _looser(grace, table)
    rows = immutable_log(8) if table == LOG else audit_logs(8, dialect="sqlite")
    key = "id" if table == LOG else "entry_id"
    for row, value in zip(rows, (None, None, "x", "x", "5", "5", "", ""), strict=True):
        row[key] = value
    reseal(table, rows)
    grace.write(table, rows)
    told = grace.log() if table == LOG else grace.audit()
    assert (told.verdict, told.entries, told.findings) == ("intact", 8, ())


@pytest.mark.parametrize("table", TABLES)
def test_everything_is_null(grace: Installation, table: str) -> None:
    _looser(grace, table)
    rows = immutable_log(2) if table == LOG else audit_logs(2, dialect="sqlite")
    grace.write(table, [*rows, *(dict.fromkeys(rows[0]) for _ in range(3))])
    told = grace.log() if table == LOG else grace.audit()
    # Nobody could tell them apart.
    assert [(f.kind, f.segment, f.position, f.entry_id) for f in told.findings] == [
        ("unreadable entry", None, None, None)
    ]
    assert told.verdict == "tampered"


def test_thousands_of_broken_entries(grace: Installation) -> None:
    rows = immutable_log(5000)
    grace.write(LOG, [{**row, "payload": "{}"} for row in rows])
    audit = audit_logs(5000, dialect="sqlite")
    grace.write(AUDIT, [{**row, "chain_hash": f"{n:064x}"} for n, row in enumerate(audit)])
    began = time.monotonic()
    report = grace.verify()
    assert time.monotonic() - began < 60
    assert report.exit_code == 1
    log, told = report.chains
    edited = sum(row["payload"] != "{}" for row in rows)
    assert log.counts == {"content edited": edited}
    assert len(log.findings) == SHOWN
    assert log.segments[0].first_bad_position == log.findings[0].position == 1
    assert [f.position for f in log.findings] == sorted(
        row["sequence"] for row in rows if row["payload"] != "{}"
    )[:SHOWN]
    # The entry behind each one tells that it was the seal.
    assert told.counts == {"hash edited": 5000}
    assert len(told.findings) == SHOWN
    assert len(grace.place.run(RECORDS)) == 2
    assert grace.remembered[LOG]["findings"] == edited


def test_many_segments_of_many_entries(grace: Installation) -> None:
    sizes = [5000, 1, 4000, 2, 3000, 3, 7000, 994]
    rows = audit_logs(*sizes, dialect="sqlite")
    grace.write(AUDIT, rows)
    began = time.monotonic()
    told = grace.audit()
    assert time.monotonic() - began < 60
    assert (told.verdict, told.entries) == ("intact", 20_000)
    assert [segment.entries for segment in told.segments] == sizes
    assert told.counts == {"new segment": len(sizes) - 1}
    at = sum(sizes[:4]) + 1500
    grace.do(rows, AUDIT, lambda chain: chain.delete(at))
    told = grace.audit()
    broken = [finding for finding in told.findings if finding.severity == "broken"]
    assert [(f.kind, f.segment, f.position) for f in broken] == [("gap", 5, 1500)]
    assert [segment.verdict for segment in told.segments].count("tampered") == 1


# The command line


def test_the_command(grace: Installation, home: Path) -> None:
    rows = grace.clean()
    cli, database = GraceCli(home), ("--db", grace.place.url)
    done = cli.run("audit", "verify", *database, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert [(c["chain"], c["verdict"], c["entries"]) for c in report["chains"]] == [
        (LOG, "intact", 12),
        (AUDIT, "intact", 12),
    ]
    assert report["exit_code"] == 0
    # That it was verified is logged, for it left a row.
    own = Place("sqlite", path=home / "audit.sqlite")
    assert own.run("select action, resource from immutable_log") == [
        ("audit.verify", grace.place.url)
    ]
    grace.attack(rows, LOG, "edit payload")
    grace.do(rows[LOG], LOG, lambda chain: chain.update(8, actor="[red]loud[/red]\x1b[31m"))
    done = cli.run("audit", "verify", *database)
    assert done.returncode == 1
    assert "content edited" in done.stdout
    assert "tampered at 7" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "Recorded: chain_verification of" in done.stderr
    assert re.search(r"audit_logs: 12 entries\s+unproven", done.stderr)
    assert grace.verify("own").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--chain", "imutable_log"), 2, "immutable_log"),
        (("--since-checkpoint", "--anchor", "x.json", "--public-key", "none.pub"), 2, "not both"),
        (("--db", "sqlite:////nowhere/none.sqlite"), 3, "none.sqlite"),
        (("--db", "oracle://x/y"), 2, ""),
    ],
)
def test_the_command_is_refused(
    arguments: tuple[str, ...], code: int, said: str, home: Path
) -> None:
    done = GraceCli(home).run("audit", "verify", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_macro_by_itself(grace: Installation) -> None:
    rows = grace.clean()

    def operation(**arguments: str) -> tuple[bool, str]:
        words = ["run-operation", "verify_audit_chain", "--args", json.dumps(arguments)]
        done = run_dbt(words, grace.settings, target="live")
        return done.success, " ".join(done.errors)

    assert operation() == (True, "")
    grace.attack(rows, LOG, "edit payload")
    ended, said = operation()
    assert not ended
    assert "Tampered with: immutable_log" in said
    assert operation(chain=AUDIT) == (True, "")
    ended, said = operation(chain="imutable_log")
    assert not ended
    assert "there are: all, immutable_log, audit_logs" in said
    grace.place.run("drop table audit_logs")
    ended, said = operation(chain=AUDIT)
    assert not ended
    assert "Could not be verified: audit_logs" in said


# What would be passed as intact


def edited(grace: Installation, *statements: str) -> None:
    """Somebody with all rights changes what is stored."""
    assert grace.place.path
    with closing(sqlite3.connect(grace.place.path)) as connection:
        triggers = "select name from sqlite_master where type = 'trigger' and tbl_name in (?, ?)"
        for (name,) in connection.execute(triggers, TABLES).fetchall():
            connection.execute(f'drop trigger "{name}"')
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("fractions", [(3.25, 3.5), (3.25, 3.5, 3.75)])
def test_places_that_are_none_hide_no_edit(
    grace: Installation, fractions: tuple[float, ...]
) -> None:
    """As many entries as places, the first and the last one where they should be."""
    grace.clean()
    edited(
        grace,
        *(f"update immutable_log set sequence = {f} where sequence = {3 + i}" for i, f in enumerate(fractions)),
        "update immutable_log set actor = 'mallory', previous_hash = 'x' where sequence = 9",
    )  # fmt: skip
    found = grace.log()
    assert found.verdict == "tampered"
    assert found.counts["unreadable entry"] == len(fractions)
    assert ("content edited", 9) in kinds(found)


@pytest.mark.parametrize("table", TABLES)
def test_an_anchor_of_a_column_that_is_gone_holds_nothing(
    grace: Installation, table: str, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    grace.clean()
    write_anchor(tmp_path / "anchor.json", make_anchor(grace.settings, TABLES, key))
    column, rest = (
        ("subsystem", "sequence > 6") if table == LOG else ("verified", "chain_position > 3")
    )
    if table == LOG:
        edited(grace, "drop index ix_immutable_log__subsystem")
    edited(grace, f"alter table {table} drop column {column}")
    options = {"anchors": [tmp_path / "anchor.json"], "public_key": key.public_key()}
    [found] = grace.verify(table, **options).chains
    assert (found.verdict, set(found.counts) - {"new segment"}) == ("tampered", {"content differs"})
    edited(grace, f"delete from {table} where {rest}")
    report = grace.verify(**options)
    assert report.exit_code == ExitCode.BAD
    assert not any(check.holds for check in report.anchors if check.chain == table)


def test_an_anchor_is_held_against_its_chains_or_refused(
    grace: Installation, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    grace.clean()
    log_own(grace.settings, "test", "resource", {}, "done")
    for chain in (AUDIT, "own"):
        write_anchor(tmp_path / chain, make_anchor(grace.settings, (chain,), key))
    options: dict[str, Any] = {"public_key": key.public_key()}
    assert "says nothing of immutable_log" in failure(
        lambda: grace.verify(LOG, anchors=[tmp_path / AUDIT], **options), ExitCode.USAGE
    )
    report = grace.verify(anchors=[tmp_path / "own"], **options)
    assert [chain.chain for chain in report.chains] == [LOG, AUDIT, "own"]
    assert [check.holds for check in report.anchors] == [True]


@pytest.mark.parametrize("value", ["x'ff'", "x'33'", "'abc'", "null"])
def test_a_place_of_any_kind_is_told_and_stops_no_other_chain(
    grace: Installation, value: str
) -> None:
    grace.clean(12, 9)
    edited(grace, f"update audit_logs set chain_position = {value} where chain_position = 3")
    log, audit = grace.verify().chains
    assert (log.verdict, audit.verdict) == ("intact", "tampered")
    assert "unreadable entry" in audit.counts


def test_what_stops_one_chain_stops_no_other(
    grace: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a database may hold that the look at it can't stand."""
    asked = dbt_runner.printed_by

    def poisoned(
        name: str, mark: str, arguments: dict[str, Any], *rest: Any, **options: Any
    ) -> Any:
        if arguments["chain"] in ("all", AUDIT):
            raise GraceError("the look broke", "look again")
        return asked(name, mark, arguments, *rest, **options)

    monkeypatch.setattr(verify, "printed_by", poisoned)
    grace.clean()
    report = grace.verify()
    assert [chain.verdict for chain in report.chains] == ["intact", "unverified"]
    assert "the look broke" in (report.chains[1].trouble or "")
    assert report.exit_code == ExitCode.ENVIRONMENT


def test_an_entry_without_a_place_lies_behind_every_checkpoint(grace: Installation) -> None:
    rows = grace.clean(12, 9)[AUDIT]
    grace.verify()
    forged = rows[-1] | {"entry_id": "forged", "chain_position": None}
    grace.write(AUDIT, [forged])
    part = grace.audit(since_checkpoint=True)
    assert (part.verdict, part.counts) == ("tampered", {"unreadable entry": 1})


def test_bytes_are_not_the_text_of_their_digits(grace: Installation, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    rows = immutable_log(6)
    rows[2]["resource"] = "AB12"
    reseal(LOG, rows)
    grace.write(LOG, rows)
    assert grace.log().verdict == "intact"
    write_anchor(tmp_path / "anchor.json", make_anchor(grace.settings, (LOG,), key))
    edited(grace, "update immutable_log set resource = x'ab12' where sequence = 3")
    assert grace.log().verdict == "tampered"
    edited(
        grace, "update immutable_log set resource = 'AB12', subsystem = x'ab' where sequence = 3"
    )
    found = grace.log(anchors=[tmp_path / "anchor.json"], public_key=key.public_key())
    assert set(found.counts) == {"content differs"}


def test_an_anchor_covers_rows_without_a_key(grace: Installation, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    grace.write(LOG, immutable_log(6))
    columns = "id, sequence, actor, action, resource, subsystem, payload, result, entry_hash, previous_hash, timestamp"
    edited(
        grace,
        f"create table copied as select {columns} from immutable_log",
        "drop table immutable_log",
        "alter table copied rename to immutable_log",
        "update immutable_log set id = null where sequence = 5",
    )
    write_anchor(tmp_path / "anchor.json", make_anchor(grace.settings, (LOG,), key))
    edited(grace, "update immutable_log set subsystem = 'other' where sequence = 5")
    found = grace.log(anchors=[tmp_path / "anchor.json"], public_key=key.public_key())
    assert set(found.counts) == {"content differs"}


def test_a_chain_that_is_another_one_is_told_until_it_is_forgotten(grace: Installation) -> None:
    grace.clean()
    grace.verify()
    edited(grace, "delete from immutable_log where sequence > 9")
    for _ in range(2):
        found = grace.log()
        assert (found.verdict, found.counts) == ("intact", {"tail cut": 1})


def test_no_control_character_reaches_the_terminal(
    grace: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    grace.clean(12, 9)
    edited(grace, "update audit_logs set entry_id = char(27) || '[2J' where chain_position = 3")
    verify_command._show(grace.verify(AUDIT))
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\\x1b[2J" in told.out


@pytest.mark.parametrize("attack", sorted(ATTACKS[LOG]))
def test_the_short_look_and_the_long_one_agree(
    grace: Installation, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intact chain is looked at by blocks; any doubt takes the long way."""
    rows = grace.clean()
    grace.attack(rows, LOG, attack)
    short = grace.log(record_result=False)
    asked = dbt_runner.printed_by

    def long_way(
        name: str, mark: str, arguments: dict[str, Any], *rest: Any, **options: Any
    ) -> Any:
        found = asked(name, mark, arguments | {"ends": True}, *rest, **options)
        return [facts | {"checkpoints": []} for facts in found]

    monkeypatch.setattr(verify, "printed_by", long_way)
    assert grace.log(record_result=False) == short
