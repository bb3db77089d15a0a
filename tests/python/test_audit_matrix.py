"""Every attack on a hash chain, on every engine, by the chain alone and with an anchor: what is found, and what not.

What must be found stands in `audit_oracle.expected`, and is asked of `audit_oracle.oracle` as well. Nothing of the
package is used but what verifies and what signs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from audit_oracle.attacks import ATTACKS, Attacker
from audit_oracle.expected import EXPECTED, SIZES
from audit_oracle.merkle import merkle_root
from audit_oracle.oracle import Finding, Reading, verify
from audit_oracle.writer import (
    AUDIT,
    KEY,
    LOG,
    POSITION,
    ZEROS,
    Row,
    audit_logs,
    generated,
    immutable_log,
    read,
    recreate,
    write,
)
from conftest import ENGINES, FILES, Plan, prepare
from grace_sample import SAMPLE
from places import Place
from raw_drivers import RawDatabase

from grace_dbt.audit.anchors import make_anchor, write_anchor
from grace_dbt.audit.verify import verify_chains
from grace_dbt.settings import Settings

TABLES = (LOG, AUDIT)
BY_ANCHOR = {"tail cut", "rewritten", "content differs", "segment missing", "anchors disagree"}
# One verification looks at both chains: each round attacks both, each in its own way.
ROUNDS: list[dict[str, str]] = [
    {table: attack for table, attack in zip(TABLES, attacks, strict=True) if attack}
    for attacks in zip_longest(ATTACKS[LOG], ATTACKS[AUDIT])
]


@dataclass(frozen=True)
class Told:
    """What a verification tells of one chain: its verdict, and kind and position of what is broken."""

    verdict: str
    findings: list[Finding]
    warnings: list[Finding]
    entries: int
    first_bad: int | None = None

    @property
    def alone(self) -> list[Finding]:
        """What shows without an anchor."""
        return [finding for finding in self.findings if finding[0] not in BY_ANCHOR]

    @property
    def by_anchor(self) -> set[str]:
        """The kinds that an anchor shows."""
        return {kind for kind, _ in self.findings} & BY_ANCHOR


@dataclass
class Bench:
    """A database of one engine with both tables, an installation that verifies it, and an anchor of the clean chains.

    Attributes:
        dialect: The engine.
        place: The database.
        settings: The installation.
        plan: How the tables are made.
    """

    dialect: str
    place: Place
    settings: Settings
    plan: Plan
    anchor: Path | None = None
    public_key: Any = None

    def fill(self, rows: dict[str, list[Row]]) -> None:
        """Make both tables anew, and write rows."""
        with closing(RawDatabase.open(self.place)) as database:
            recreate(database, self.plan)
            for table, written in rows.items():
                write(database, table, written)

    def clean(self) -> dict[str, list[Row]]:
        """The chains that are attacked."""
        return {
            LOG: immutable_log(*SIZES[LOG]),
            AUDIT: audit_logs(*SIZES[AUDIT], dialect=self.dialect),
        }

    def attack(self, attacks: dict[str, str]) -> dict[str, Reading]:
        """Attack the clean chains, by table; what the oracle then reads."""
        rows = self.clean()
        self.fill(rows)
        readings = {}
        with closing(RawDatabase.open(self.place)) as database:
            for table, attack in attacks.items():
                attacker = Attacker(database, table, rows[table])
                ATTACKS[table][attack](attacker)
                readings[table] = verify(table, attacker.stored())
        return readings

    def sign(self, folder: Path) -> dict[str, Any]:
        """Anchor the chains as they are."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        signed = make_anchor(self.settings, TABLES, key)
        self.anchor, self.public_key = folder / f"{self.dialect}.json", key.public_key()
        write_anchor(self.anchor, signed)
        return signed

    def told(self, *, anchored: bool = False, chains: tuple[str, ...] = TABLES) -> dict[str, Told]:
        """What a verification tells, by chain."""
        anchors = [self.anchor] if anchored and self.anchor else []
        report = verify_chains(
            self.settings,
            chains,
            anchors=anchors,
            public_key=self.public_key if anchors else None,
            record_result=False,
        )
        told = {}
        for chain in report.chains:
            findings: dict[str, list[Finding]] = {"broken": [], "warning": []}
            for found in chain.findings:
                findings[found.severity].append((found.kind, found.position))
            bad = [segment.first_bad_position for segment in chain.segments]
            told[chain.chain] = Told(
                chain.verdict,
                findings["broken"],
                findings["warning"],
                chain.entries,
                min((position for position in bad if position is not None), default=None),
            )
        return told


@pytest.fixture(scope="module")
def benches(
    fresh_place: Callable[[str], Place],
    ddl_plan: dict[str, Plan],
    planned_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Bench]:
    """The bench of an engine, made when it is first asked for."""

    @cache
    def find(dialect: str) -> Bench:
        home = tmp_path_factory.mktemp(f"bench-{dialect}") / "home"
        prepare(home, planned_home)
        place = fresh_place(dialect)
        bench = Bench(dialect, place, Settings.load(place.url, home=home), ddl_plan[dialect])
        bench.fill(bench.clean())
        bench.sign(home)
        return bench

    return find


@dataclass(frozen=True)
class Case:
    """One attacked chain: what the oracle reads in it, and what is told without and with the anchor."""

    reading: Reading
    alone: Told
    anchored: Told


@pytest.fixture(scope="module")
def cases(benches: Callable[[str], Bench]) -> Callable[[str, int], dict[str, Case]]:
    """What came of a round on an engine, by table."""

    @cache
    def find(dialect: str, number: int) -> dict[str, Case]:
        bench, attacks = benches(dialect), ROUNDS[number]
        readings = bench.attack(attacks)
        anchored = bench.told(anchored=True)
        # What a chain alone shows stands beside what the anchor shows; that it shows nothing is asked of it alone.
        hidden = any(EXPECTED[table][attack].alone is None for table, attack in attacks.items())
        alone = bench.told() if hidden else anchored
        return {table: Case(readings[table], alone[table], anchored[table]) for table in attacks}

    return find


@pytest.mark.parametrize("layer", ["chain alone", "anchor"])
@pytest.mark.parametrize(
    ("number", "table"),
    [
        pytest.param(number, table, id=f"{table}-{attack}")
        for number, attacks in enumerate(ROUNDS)
        for table, attack in attacks.items()
    ],
)
@pytest.mark.parametrize("dialect", ENGINES)
def test_attack(
    dialect: str, number: int, table: str, layer: str, cases: Callable[[str, int], dict[str, Case]]
) -> None:
    case, expected = cases(dialect, number)[table], EXPECTED[table][ROUNDS[number][table]]
    if layer == "anchor":
        assert case.anchored.by_anchor == expected.anchored
        found = bool(expected.alone or expected.anchored)
        assert case.anchored.verdict == ("tampered" if found else "intact")
        return
    assert not case.reading.objections(case.alone.alone), case.alone.findings
    if expected.alone is None:
        assert (case.alone.verdict, case.alone.findings) == ("intact", [])
        return
    assert case.alone.verdict == "tampered"
    assert expected.alone in case.alone.alone
    places = [position for _, position in case.alone.alone if position is not None]
    assert min(places) == case.alone.first_bad == expected.alone[1]
    assert len(case.alone.alone) <= 3


@pytest.mark.parametrize("dialect", ENGINES)
def test_clean_chains_are_intact(dialect: str, benches: Callable[[str], Bench]) -> None:
    bench = benches(dialect)
    clean = bench.clean()
    bench.fill(clean)
    for told in (bench.told(), bench.told(anchored=True)):
        for table in TABLES:
            assert (told[table].verdict, told[table].findings) == ("intact", [])
            assert told[table].entries == len(clean[table])
        assert ("new segment", 0) in told[AUDIT].warnings


@pytest.mark.parametrize("dialect", ENGINES)
def test_empty_chains_are_intact(dialect: str, benches: Callable[[str], Bench]) -> None:
    bench = benches(dialect)
    bench.fill({})
    for told in bench.told().values():
        assert told == Told("intact", [], [], 0)


@pytest.mark.parametrize("dialect", ENGINES)
def test_an_added_segment_is_a_warning(dialect: str, benches: Callable[[str], Bench]) -> None:
    bench = benches(dialect)
    bench.attack({AUDIT: "forge a segment"})
    assert bench.told(chains=(AUDIT,))[AUDIT].warnings.count(("new segment", 0)) == 2


@pytest.mark.parametrize("dialect", ENGINES)
def test_generated_content(dialect: str, benches: Callable[[str], Bench]) -> None:
    bench = benches(dialect)
    rows = {table: generated(table, 300, dialect=dialect, seed=11) for table in TABLES}
    bench.fill(rows)
    for table, told in bench.told().items():
        assert (told.verdict, told.findings, told.entries) == ("intact", [], 300), table
    with closing(RawDatabase.open(bench.place)) as database:
        for table in TABLES:
            attacker = Attacker(database, table, rows[table])
            attacker.edit(150, "result" if table == LOG else "data_json")
    told_by_table = bench.told()
    assert told_by_table[LOG].findings == [("content edited", 151)]
    assert told_by_table[AUDIT].findings == [("content edited", 150)]


def test_the_vectors_of_the_formats(benches: Callable[[str], Bench]) -> None:
    first = "3e6d566132bd6f93b3b75241313e3eae44330ff50ec3021068d5b0fa50d8d89e"
    usual = {"subsystem": None, "result": "published", "timestamp": "2025-11-14 11:10:10"}
    log = [
        {
            **usual,
            "id": 1,
            "sequence": 1,
            "actor": "testuser",
            "action": "knowledge.ingested",
            "resource": "Test Knowledge",
            "payload": '{"artifact_id": 1, "domain": "test", "type": "text"}',
            "entry_hash": first,
            "previous_hash": ZEROS,
        },
        {
            **usual,
            "id": 2,
            "sequence": 2,
            "actor": "test_user",
            "action": "sandbox.execution_failed",
            "resource": "python timeout_test.py",
            "payload": '{"duration_ms": 137, "exit_code": 9009}',
            "entry_hash": "a9103cb0ca87cdf576fe3fb341d8d526bf516e2015de91798ea9e3c0abe61c85",
            "previous_hash": first,
        },
    ]
    audit = {
        "entry_id": "governance_action_20250928_095538_000001",
        "category": "governance_action",
        "transparency_level": "democratic_oversight",
        "timestamp": "2025-09-28T09:55:38.612416",
        "data_json": '{"action_type": "kernel_shutdown", "action_data": {"timestamp":'
        ' "2025-09-28T09:55:38.610904", "snapshot_id": "govsnap_20250928_095538_5b433e1b",'
        ' "reason": "graceful_shutdown"}, "logged_by": "governance_engine"}',
        "hash": "cf3eefad64b7fc2f10161532a916ee9bdf3edef252f9eb017c428a835bfb4a47",
        "previous_hash": "5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523",
        "chain_hash": "ec78e41f125f895b1dd5582a78d07b4895a606004f1e0bfcafacedbc55ddfdca",
        "chain_position": 1,
        "verified": True,
    }
    for dialect in FILES:
        bench = benches(dialect)
        bench.fill({LOG: log, AUDIT: [audit]})
        told = bench.told()
        assert (told[LOG].verdict, told[LOG].entries) == ("intact", 2)
        # The entry before it is not known, and nothing else is wrong with it.
        assert told[AUDIT].findings == [("gap", 0)]


@pytest.mark.parametrize("dialect", FILES)
def test_the_root_that_an_anchor_signs(
    dialect: str, benches: Callable[[str], Bench], tmp_path: Path
) -> None:
    bench = benches(dialect)
    bench.fill(bench.clean())
    kept = bench.anchor, bench.public_key
    signed = bench.sign(tmp_path)
    bench.anchor, bench.public_key = kept
    points = signed["checkpoints"]
    assert len(points) == 3
    with closing(RawDatabase.open(bench.place)) as database:
        for point in points:
            table, columns = point["chain"], point["columns"]
            assert set(columns) == set(bench.clean()[table][0])
            order = {row[KEY[table]]: at for at, row in enumerate(bench.clean()[table])}
            cells = ", ".join(f'cast("{name}" as text)' for name in columns)
            found = database.execute(f'select "{KEY[table]}", {cells} from "{table}"')
            texts = [
                dict(zip(columns, row[1:], strict=True))
                for row in sorted(found, key=lambda row: order[row[0]])
            ]
            size = SIZES[table][point["segment"] - 1]
            start = sum(SIZES[table][: point["segment"] - 1])
            assert point["entries"] == size
            assert point["merkle_root"] == merkle_root(texts[start : start + size], columns)


def test_the_chain_of_its_own(ddl_plan: dict[str, Plan], grace_home: Path) -> None:
    settings = Settings.load(home=grace_home)
    place = Place("sqlite", path=grace_home / "audit.sqlite")
    bench = Bench("sqlite", place, settings, ddl_plan["sqlite"])
    rows = immutable_log(*SIZES[LOG])
    bench.fill({LOG: rows})
    assert bench.told(chains=("own",)) == {"own": Told("intact", [], [], 12)}
    with closing(RawDatabase.open(place)) as database:
        ATTACKS[LOG]["edit payload"](Attacker(database, LOG, rows))
    assert bench.told(chains=("own",))["own"].findings == [("content edited", 7)]


@pytest.fixture(scope="module")
def sample_bench(planned_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A copy of the sample of a real deployment, which is made anew for each attack."""
    folder = tmp_path_factory.mktemp("sample")
    prepare(folder / "home", planned_home)
    place = Place("sqlite", path=folder / "grace.sqlite")
    return Bench("sqlite", place, Settings.load(place.url, home=folder / "home"), [])


# No payload of the sample is NULL.
@pytest.mark.parametrize("attack", [None, *sorted({*ATTACKS[LOG]} - {"say None for NULL"})])
def test_the_sample_of_a_real_deployment(attack: str | None, sample_bench: Bench) -> None:
    assert sample_bench.place.path
    shutil.copy(SAMPLE, sample_bench.place.path)
    with closing(RawDatabase.open(sample_bench.place)) as database:
        rows = sorted(read(database, LOG), key=lambda row: row[POSITION[LOG]])
        attacker = Attacker(database, LOG, rows)
        if attack:
            ATTACKS[LOG][attack](attacker)
        reading = verify(LOG, attacker.stored())
    told = sample_bench.told(chains=(LOG,))[LOG]
    assert not reading.objections(told.findings), told.findings
    hidden = attack is None or EXPECTED[LOG][attack].alone is None
    assert told.verdict == ("intact" if hidden else "tampered")
    assert len(told.findings) <= 3
