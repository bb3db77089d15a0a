"""The page of a verification: it says what it must, is sound HTML whatever it quotes, its commands give the hashes."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import SERVERS, untested
from servers import PASSWORD, Server
from typer.testing import CliRunner

from grace_dbt.audit import verify
from grace_dbt.audit.formats import GENESIS, ZEROS, chain_hash, content_hash, entry_hash
from grace_dbt.audit.report import KINDS, page, write_report
from grace_dbt.audit.results import (
    AnchorCheck,
    ChainReport,
    Finding,
    Segment,
    VerificationReport,
)
from grace_dbt.cli.audit import report as report_command
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.visible_text import shown

HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=\'alert(2)\'>" onload="x" &amp; \u202e\x00\ud800\n'
)
VOID = {"meta", "link", "br", "hr", "img", "input"}
# What each chain's example must give: the published vectors of the formats.
VECTORS = (
    "3e6d566132bd6f93b3b75241313e3eae44330ff50ec3021068d5b0fa50d8d89e",
    "cf3eefad64b7fc2f10161532a916ee9bdf3edef252f9eb017c428a835bfb4a47",
    "ec78e41f125f895b1dd5582a78d07b4895a606004f1e0bfcafacedbc55ddfdca",
)


class Page(HTMLParser):
    """The elements and texts of a page; fails where an element is not closed, or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.commands: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._command = ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} stands twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open[-2:] == ["pre", "code"]:
            self._command = data
        elif self._open[-1:] == ["output"]:
            self.commands.append((self._command, data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def chain(name: str = "immutable_log", **changes: Any) -> ChainReport:
    segment = Segment(name, 1, 1, 120, 120, "b" * 64, "intact", None)
    return replace(ChainReport(name, "all", "intact", 120, (segment,), (), {}, 120), **changes)


def checked(*chains: ChainReport, **changes: Any) -> VerificationReport:
    report = VerificationReport(
        "sqlite:////var/lib/grace/grace.db",
        "2025-11-30T12:00:00.000+00:00",
        chains or (chain(),),
        (),
        "chain_verification",
    )
    return replace(report, **changes)


def check(name: str = "immutable_log", position: int = 78, *, holds: bool = True) -> AnchorCheck:
    return AnchorCheck("a.json", "21fe31dfa154a261", "2025-11-29T00:00Z", name, 1, position, holds)


def finding(**changes: Any) -> Finding:
    found = Finding("audit_logs", 1, 41, "e_41", "content edited", "broken", "a" * 64, "b" * 64)
    return replace(found, **changes)


def read(report: VerificationReport) -> Page:
    return Page(page(report))


# --- what it says


def test_an_intact_chain_without_an_anchor_is_not_called_proven() -> None:
    said = read(checked(notes=("a note",))).text
    for words in (
        "No tampering found",
        "sqlite:////var/lib/grace/grace.db",
        "2025-11-30T12:00:00.000+00:00",
        "chain_verification",
        "a note",
        "grace-dbt 0.",
        "The 120 entries follow from one another",
        "All 120 entries are unproven against rewriting from some entry on, a cut tail, and a replaced chain",
        "The hashes do not seal id, subsystem and timestamp",
        "grace-dbt audit anchor --out FILE",
        "Findings None.",
    ):
        assert words in said
    assert "An anchor covers each" not in said


def test_what_an_anchor_proves_is_told_and_what_came_after_it() -> None:
    report = checked(chain(unproven=42), anchors=(check(position=50), check()))
    said = read(report).text
    assert "Segment 1 up to position 78" in said
    assert "Segment 1 up to position 50" not in said, "the later one says it all"
    assert "21fe31dfa154a261" in said
    assert "Entries that no anchor covers: 42, unproven against rewriting and a cut tail" in said
    assert "Holds" in said
    covered = read(checked(chain(unproven=0), anchors=(check(position=120),))).text
    assert "An anchor covers each of them." in covered
    assert "cut off again leave no trace" in covered


def test_an_anchor_that_does_not_hold_is_told() -> None:
    report = checked(chain(verdict="tampered"), anchors=(check(), check(holds=False)))
    said = read(report).text
    assert "1 of 2 checkpoints of anchors do not hold" in said
    assert "Does not hold" in said


def test_a_tampered_chain_is_told_with_its_findings() -> None:
    findings = (
        finding(),
        finding(position=None, entry_id=None, kind="anchors disagree"),
        finding(kind="new segment", severity="warning"),
    )
    counts = {"content edited": 31, "anchors disagree": 1, "new segment": 1}
    tampered = chain("audit_logs", verdict="tampered", findings=findings, counts=counts)
    said = read(checked(chain(), tampered)).text
    assert "Tampered with: audit_logs" in said
    assert "content edited" in said
    assert "the first ones; 30 more are not listed" in said
    assert "e_41" in said
    assert "! Warning" in said
    assert "No tampering found" not in said


def test_what_could_not_be_verified_is_not_called_intact() -> None:
    lost = chain(
        "own", verdict="unverified", entries=0, segments=(), unproven=0, trouble="it is gone"
    )
    said = read(checked(lost)).text
    for words in (
        "Not verified: own",
        "own : it is gone",
        "Nothing: the chain could not be verified.",
        "Everything.",
    ):
        assert words in said
    assert "Nothing was verified" in read(replace(checked(), chains=())).text
    partial = read(checked(chain(scope="partial: 100..120"))).text
    assert "Only a part was read (partial: 100..120)" in partial


def test_each_kind_is_explained() -> None:
    said = read(checked()).text
    for kind in KINDS:
        assert f" {kind} " in said


# --- how it is made


def test_it_needs_nothing_but_itself_and_can_be_read_by_all() -> None:
    tampered = chain(verdict="tampered", findings=(finding(),), counts={"content edited": 1})
    text = page(checked(tampered, anchors=(check(),)))
    found = Page(text)
    names = [name for name, _ in found.tags]
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(names)
    assert not re.search(r"url\(|@import|https?:", text)
    assert found.tags[0] == ("html", {"lang": "en"})
    assert names.count("title") == names.count("h1") == names.count("main") == 1
    assert names.count("caption") == names.count("table")
    assert all(given.get("scope") == "col" for name, given in found.tags if name == "th")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_text_can_be_read_against_what_is_behind_it() -> None:
    """WCAG AA asks for 4.5 to 1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    schemes = re.findall(r":root \{(.*?)\}", page(checked()), re.DOTALL)
    assert len(schemes) == 3, "light, dark and paper"
    for scheme in schemes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        behind = {"text": ("page", "panel"), "soft": ("page", "panel")}
        behind |= {name: ("page", f"{name}-panel") for name in ("good", "bad", "unsure")}
        for name, places in behind.items():
            for place in places:
                dark, light = sorted((luminance(colours[name]), luminance(colours[place])))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, place)


def test_whatever_is_quoted_never_becomes_markup() -> None:
    """Each text of a report in turn, and all at once."""
    plain = Page(page(hostile_report("x")))
    attacked = page(hostile_report(HOSTILE))
    found = Page(attacked)
    assert [name for name, _ in found.tags] == [name for name, _ in plain.tags]
    assert [set(given) for _, given in found.tags] == [set(given) for _, given in plain.tags]
    assert "<script" not in attacked
    assert "\u202e" not in attacked
    assert "\x00" not in attacked
    assert "alert(1)</script>" in "".join(found.texts), "it is shown as what it is"
    assert "\\u202e\\x00\\ud800" in "".join(found.texts)


def hostile_report(text: str) -> VerificationReport:
    segment = Segment(text, 1, 1, 2, 2, text, "intact", None)
    found = finding(chain=text, entry_id=text, kind=text, expected=text, found=text)
    lost = ChainReport(text, text, "tampered", 2, (segment,), (found,), {text: 1}, 2, text)
    held = AnchorCheck(text, text, text, text, 1, 2, True)
    return VerificationReport(
        text, text, (lost,), (held, replace(held, holds=False)), text, (text,)
    )


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 300) == "x" * 300
    assert shown("x" * 5_000_000) == "x" * 300 + "\u2026 (5,000,000 characters)"


# --- by hand


def runs(command: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C", **environment},
    )
    return done.stdout.split()[0]


def test_the_commands_give_the_hashes() -> None:
    commands = [(c, h) for c, h in read(checked()).commands if c.startswith("printf")]
    assert [prints for _, prints in commands][:3] == list(VECTORS)
    assert len(commands) == 6, "two formats, a row and its chain, two leaves and a node"
    for command, prints in commands:
        assert runs(command) == prints


def sealed() -> list[tuple[str, dict[str, Any]]]:
    """An entry of each chain of Grace, of awkward content."""
    said = {
        "actor": "Zo\u00eb",
        "action": "a'b",
        "resource": None,
        "payload": '{"a": "\\n\u2028"}\n',
        "result": "100% $HOME",
    }
    seal = entry_hash(1, previous=ZEROS, **said)  # type: ignore[arg-type]
    given = content_hash("e", category="c", data={}, level="l", timestamp="t")
    chained = chain_hash(given, previous=GENESIS, position=0)
    return [
        ("immutable_log", {"sequence": 1, **said, "entry_hash": seal, "previous_hash": ZEROS}),
        (
            "audit_logs",
            {"hash": given, "previous_hash": GENESIS, "chain_position": 0, "chain_hash": chained},
        ),
    ]


def written(
    execute: Callable[[str, list[Any]], object], mark: str, options: str = ""
) -> list[tuple[ChainReport, str]]:
    """Write these entries; a report of each chain, and what seals its last entry."""
    reports = []
    for table, row in sealed():
        columns = (f"{n} {'integer' if isinstance(v, int) else 'text'}" for n, v in row.items())
        execute(f"create table {table} ({', '.join(columns)}){options}", [])
        marks = ", ".join([mark] * len(row))
        execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))
        seal = row.get("entry_hash") or row["chain_hash"]
        last = row.get("sequence", 0)
        segment = Segment(table, 1, last, last, 1, seal, "intact", None)
        reports.append((chain(table, segments=(segment,)), seal))
    return reports


def test_the_last_entries_are_hashed_from_a_file(tmp_path: Path) -> None:
    if not shutil.which("sqlite3"):
        untested("the sqlite3 shell is missing")
    path = tmp_path / 'it\'s 100% "Grace" $HOME.db'
    with closing(sqlite3.connect(path)) as database, database:
        reports = written(database.execute, "?")
    shutil.copy(path, tmp_path / "audit.sqlite")
    log, seal = reports[0]
    reports.append((replace(log, chain="own"), seal))
    url = f"sqlite:///{str(path).replace('%', '%25')}"
    commands = read(checked(*(report for report, _ in reports), url=url)).commands
    found = [(command, seal) for command, seal in commands if command.startswith("sqlite3")]
    assert [seal for _, seal in found] == [seal for _, seal in reports]
    for command, seal in found:
        assert runs(command, GRACE_HOME=str(tmp_path), HOME=str(tmp_path)) == seal


@pytest.mark.parametrize("dialect", SERVERS)
def test_the_last_entries_are_hashed_from_a_server(
    new_database: Callable[[str], Server], dialect: str
) -> None:
    client = "psql" if dialect == "postgres" else "mariadb"
    if not shutil.which(client):
        untested(f"{client} is missing")
    server = new_database(dialect)
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        options = "" if dialect == "postgres" else " character set utf8mb4"
        reports = written(cursor.execute, "%s", options)
    commands = read(checked(*(report for report, _ in reports), url=server.plain_url)).commands
    found = [(command, seal) for command, seal in commands if client in command]
    assert [seal for _, seal in found] == [seal for _, seal in reports]
    for command, seal in found:
        # Nobody is here to be asked for the password.
        given = command.replace(" -p grace", ' -p"$MYSQL_PWD" grace')
        assert runs(given, PGPASSWORD=PASSWORD, MYSQL_PWD=PASSWORD) == seal


@pytest.mark.parametrize(
    ("url", "begin"),
    [
        ("duckdb:////g.duckdb", "duckdb -readonly -noheader -list /g.duckdb -c "),
        (
            "postgresql://u%20v@h:5433/g",
            "PGCLIENTENCODING=UTF8 psql -XAt -h h -p 5433 -U 'u v' -d g -c ",
        ),
        (
            "mysql://u@h:3307/g",
            "mariadb --default-character-set=utf8mb4 -N -r -h h -P 3307 -u u -p g -e ",
        ),
    ],
)
def test_each_database_has_its_client(url: str, begin: str) -> None:
    [command] = [c for c, _ in read(checked(url=url)).commands if "sequence = 120" in c]
    assert command.startswith(begin)
    assert command.endswith(" | head -c -1 | sha256sum")
    assert "from immutable_log" in command
    assert ("concat(" in command) == url.startswith("mysql")


def test_the_schema_is_named() -> None:
    commands = read(checked(url="postgresql://u@h/g?schema=ops")).commands
    assert any('from "ops".immutable_log' in command for command, _ in commands)


@pytest.mark.parametrize("seal", [HOSTILE, None, "b" * 63, "B" * 64, "b" * 64 + "\n"])
def test_no_command_is_made_of_what_a_tampered_table_holds(seal: str | None) -> None:
    segment = Segment("audit_logs", 1, 0, 0, 1, seal, "intact", None)
    report = checked(chain("audit_logs", segments=(segment,)))
    assert all(command.startswith("printf") for command, _ in read(report).commands)
    broken = replace(segment, head_hash="b" * 64, verdict="tampered")
    report = checked(chain("audit_logs", segments=(broken,)))
    assert all(command.startswith("printf") for command, _ in read(report).commands)


# --- writing


def test_a_former_page_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("former")
    (tmp_path / "link").symlink_to(path)
    write_report(checked(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert path.read_text(encoding="utf-8") == page(checked())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "report.html"]
    for place, code in ((tmp_path, ExitCode.USAGE), (tmp_path / "x" / "r", ExitCode.ENVIRONMENT)):
        with pytest.raises(GraceError) as caught:
            write_report(checked(), place)
        assert caught.value.exit_code == code


@pytest.mark.parametrize(("verdict", "code"), [("intact", 0), ("tampered", 1), ("unverified", 3)])
def test_the_command_ends_as_verify_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Any, code: int
) -> None:
    asked: list[object] = []

    def verify_chains(_: object, chains: object, **rest: object) -> VerificationReport:
        asked.extend((chains, rest))
        return checked(chain(verdict=verdict))

    monkeypatch.setattr(verify, "verify_chains", verify_chains)
    monkeypatch.setenv("GRACE_HOME", str(tmp_path))
    app = typer.Typer()
    report_command.register(app)
    out = tmp_path / "r.html"
    done = CliRunner().invoke(app, ["--out", str(out), "--chain", "own"])
    assert done.exit_code == code, done.exception
    assert done.stdout == f"{out}\n"
    assert asked == [("own",), {"anchors": (), "public_key": None}]
    assert "immutable_log" in out.read_text()
