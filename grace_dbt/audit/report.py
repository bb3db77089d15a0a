"""One HTML page that tells what a verification found, what it proves and what it does not.

It is for people without our tools, who need not be allowed to read the log: of an entry it holds no more than a finding
names. Everything in it that came from a database or an anchor is escaped, and what can't be seen is spelled out.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from grace_dbt import __version__
from grace_dbt.audit.anchors import write_whole
from grace_dbt.audit.formats import GENESIS, ZEROS, chain_hash, content_hash, entry_hash
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FileUrl, OperationalUrl, ServerUrl
from grace_dbt.visible_text import shown

if TYPE_CHECKING:
    from grace_dbt.audit.results import (
        AnchorCheck,
        ChainReport,
        Segment,
        VerificationReport,
    )

# Every kind of finding: how bad it is, and what was done.
KINDS = {
    "content edited": ("broken", "What the entry says no longer gives the hash stored beside it."),
    "hash edited": (
        "broken",
        "The stored hash was changed: what the entry says gives another one.",
    ),
    "link broken": ("broken", "The entry does not hold the hash of the entry before it."),
    "gap": ("broken", "Positions are missing: entries were removed."),
    "duplicate position": (
        "broken",
        "Two entries stand at one position, and one of them is not sealed to the entry before it.",
    ),
    "reordered": ("broken", "Entries were given other positions than those they were sealed at."),
    "forked": (
        "broken",
        "Two entries are sealed to the same entry before them: the chain goes on twice.",
    ),
    "genesis wrong": (
        "broken",
        "The first entry does not begin as a chain begins: entries before it were removed.",
    ),
    "unreadable entry": (
        "broken",
        "A value that is sealed is missing, or can't be read as what it should be.",
    ),
    "tail cut": (
        "broken",
        "An anchor, or an earlier verification, saw entries at the end that are gone.",
    ),
    "rewritten": (
        "broken",
        "Entries have other hashes than an anchor, or an earlier verification, saw: the chain was sealed anew.",
    ),
    "content differs": (
        "broken",
        "The hashes are those that an anchor saw, but a column that they do not seal was changed.",
    ),
    "segment missing": (
        "broken",
        "An anchor saw a segment of the chain that is gone, or was replaced.",
    ),
    "anchors disagree": ("broken", "Two anchors say different things of the same entries."),
    "new segment": (
        "warning",
        "The chain begins anew, as it does when its writer is restarted; also where somebody wrote a second one.",
    ),
    "time running backwards": (
        "warning",
        "An entry is older than the one before it: a clock was set, or an entry was made up.",
    ),
}

_SHORT = 20  # characters of a value that stays on one line where there is room
_HASH = re.compile(r"[0-9a-f]{64}")
_UNSEALED = {
    "immutable_log": "id, subsystem and timestamp",
    "own": "id, subsystem and timestamp",
    "audit_logs": "verified",
}
_VERDICTS = {
    "intact": ("good", "\u2713", "Intact"),
    "tampered": ("bad", "\u2717", "Tampered with"),
    "unverified": ("unsure", "?", "Not verified"),
}
_SEVERITIES = {"broken": ("bad", "\u2717", "Broken"), "warning": ("unsure", "!", "Warning")}

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #515a64; --line: #c9d0d7; --panel: #f4f6f8;
  --good: #0a5c28; --good-panel: #e6f5eb; --bad: #9b0d22; --bad-panel: #fdecee; --unsure: #6b4200;
  --unsure-panel: #fff3dc; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e9ec; --soft: #aab3bc; --line: #3b434b;
  --panel: #1d2226; --good: #7ee2a0; --good-panel: #12301d; --bad: #ff9da8; --bad-panel: #3b1519; --unsure: #f2c879;
  --unsure-panel: #35280d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p, ul { margin: .5rem 0; max-width: 46rem; }
ul { padding-left: 1.25rem; }
li { margin: .2rem 0; }
code, pre, .value { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .75rem; white-space: pre-wrap; background: var(--panel); border: 1px solid var(--line);
  border-radius: 4px; }
pre output { color: var(--soft); }
.banner { padding: .9rem 1rem; border: 1px solid; border-left-width: 6px; border-radius: 4px; }
.banner p { margin: .25rem 0 0; color: var(--text); }
.banner strong { font-size: 1.15rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); }
.banner.good { background: var(--good-panel); } .banner.bad { background: var(--bad-panel); }
.banner.unsure { background: var(--unsure-panel); }
.mark { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .75rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; max-width: 100%; margin: .75rem 0 1.25rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td .mark, td .short { white-space: nowrap; }
th.number, td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 60rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  table, tbody, tr, td, caption { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td.number { display: grid; grid-template-columns: 7.5rem 1fr; gap: .5rem; border: 0; padding: .1rem 0;
    text-align: left; white-space: normal; }
  td > * { min-width: 0; }
  td .mark, td .short { white-space: normal; }
  td::before { content: attr(data-label); color: var(--soft); }
}
@media print {
  :root { color-scheme: light; --page: #ffffff; --text: #000000; --soft: #444444; --line: #999999; --panel: #ffffff;
    --good: #0a5c28; --good-panel: #ffffff; --bad: #9b0d22; --bad-panel: #ffffff; --unsure: #6b4200;
    --unsure-panel: #ffffff; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2, h3, caption { break-after: avoid; }
  tr, pre, .banner { break-inside: avoid; }
  td .mark, td .short { white-space: normal; }
}
"""


class Html(str):
    """Text that is markup already; any other text is escaped."""

    __slots__ = ()


def write_report(report: VerificationReport, path: Path) -> None:
    """Write the page, as a whole or not at all; a former one is replaced.

    Raises:
        GraceError: The name is that of no plain file (exit code 2), or it can't be written (3).
    """
    write_whole(path, page(report).encode(), overwrite=True)


def page(report: VerificationReport) -> str:
    """The page: no script, nothing from a network, readable on paper as well."""
    title = "Audit chain verification"
    body = _element(
        "main",
        _element("h1", title),
        _banner(report),
        *_checked(report),
        *_verdicts(report),
        *_proof(report),
        *_segments(report),
        *_findings(report),
        *_anchors(report),
        *_by_hand(report),
        *_glossary(),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # A second lock, should anything ever get past the escaping.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(f'{title}. {_headline(report)}. {shown(report.verified_at)}')}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


# --- markup


def _element(name: str, *children: str, **attributes: str) -> Html:
    """An element; children are escaped unless they are markup."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    return Html(f"<{name}{given}>{inner}</{name}>")


def _value(value: object) -> Html:
    """Something of foreign origin; a dash where there is nothing."""
    text = "\u2013" if value is None else shown(value)
    return _element("span", text, class_="value" if len(text) > _SHORT else "value short")


def _number(value: int | None) -> str:
    return "\u2013" if value is None else f"{value:,}"


def _mark(meaning: tuple[str, str, str]) -> Html:
    """A judgement in words, with a sign and a colour that say the same."""
    style, sign, words = meaning
    return _element(
        "span", _element("span", sign, aria_hidden="true"), f" {words}", class_=f"mark {style}"
    )


def _table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
) -> Html:
    """A table; the roles keep it one for a screen reader where a narrow screen shows it as a list."""

    def style(heading: str) -> str:
        return "number" if heading in numbers else "text"

    head = _element(
        "tr",
        *(
            _element("th", heading, scope="col", role="columnheader", class_=style(heading))
            for heading in headings
        ),
        role="row",
    )
    lines = (
        _element(
            "tr",
            *(
                _element(
                    "td", _element("span", cell), role="cell", class_=style(name), data_label=name
                )
                for name, cell in zip(headings, row, strict=True)
            ),
            role="row",
        )
        for row in rows
    )
    return _element(
        "table",
        _element("caption", caption),
        _element("thead", head, role="rowgroup"),
        _element("tbody", *lines, role="rowgroup"),
        role="table",
    )


def _list(items: Iterable[Html | str]) -> Html:
    return _element("ul", *(_element("li", item) for item in items))


def _joined(*parts: str) -> Html:
    """Text and markup in one line."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


# --- sections


def _headline(report: VerificationReport) -> str:
    if not report.chains:
        return "Nothing was verified"
    if report.exit_code == ExitCode.FINE:
        return "No tampering found"
    verdict = "tampered" if report.exit_code == ExitCode.BAD else "unverified"
    names = ", ".join(shown(chain.chain) for chain in report.chains if chain.verdict == verdict)
    return f"{_VERDICTS[verdict][2]}: {names}"


def _banner(report: VerificationReport) -> Html:
    style, sign, _ = _VERDICTS[
        "unverified"
        if not report.chains
        else {ExitCode.FINE: "intact", ExitCode.BAD: "tampered"}.get(report.exit_code, "unverified")
    ]
    entries = sum(chain.entries for chain in report.chains)
    unproven = sum(chain.unproven for chain in report.chains)
    told = f"{entries:,} entries were verified. "
    if not report.anchors:
        told += "No anchor was given, so nothing speaks against their having been rewritten."
    elif unproven:
        told += f"{unproven:,} of them no anchor covers: they are unproven against rewriting."
    else:
        told += "An anchor covers each of them."
    return _element(
        "div",
        _element("strong", _element("span", sign, aria_hidden="true"), f" {_headline(report)}"),
        _element("p", told),
        class_=f"banner {style}",
    )


def _checked(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "What was checked")
    facts = {
        "Database": _value(report.url),
        "Began": _value(report.verified_at),
        "Chains": _joined(*_comma(_value(chain.chain) for chain in report.chains)),
        "Recorded": _value(report.recorded),
        "Made by": f"grace-dbt {__version__}, Python {platform.python_version()}, "
        f"DuckDB {version('duckdb')}, cryptography {version('cryptography')}",
        "Exit code": str(int(report.exit_code)),
    }
    yield _element(
        "dl",
        *(
            part
            for name, fact in facts.items()
            for part in (_element("dt", name), _element("dd", fact))
        ),
    )
    if report.notes:
        yield _list(shown(note) for note in report.notes)


def _comma(parts: Iterable[Html]) -> Iterator[str]:
    for place, part in enumerate(parts):
        if place:
            yield ", "
        yield part


def _verdicts(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "Verdicts")
    yield _table(
        "One line for each chain. Unproven entries are those that no anchor covers.",
        ("Chain", "Verdict", "Scope", "Entries", "Unproven", "Findings"),
        (
            (
                _value(chain.chain),
                _mark(_VERDICTS[chain.verdict]),
                shown(chain.scope),
                _number(chain.entries),
                _number(chain.unproven),
                _number(sum(chain.counts.values())),
            )
            for chain in report.chains
        ),
        numbers=("Entries", "Unproven", "Findings"),
    )
    troubles = [chain for chain in report.chains if chain.trouble]
    if troubles:
        yield _list(_joined(_value(chain.chain), f": {shown(chain.trouble)}") for chain in troubles)


def _proof(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "What is proven, and what is not")
    for chain in report.chains:
        checks = [check for check in report.anchors if check.chain == chain.chain]
        yield _element("h3", _value(chain.chain))
        yield _element("p", _element("strong", "Proven"))
        yield _list(_proven(chain, checks))
        yield _element("p", _element("strong", "Unproven"))
        yield _list(_unproven(chain, checks))
    yield _element("h3", "All chains")
    yield _list(
        (
            "No chain proves that what was written is true, or that all that happened was written.",
            "The time of an anchor is by the clock of whoever signed it.",
            "Whoever holds the private key can sign a rewritten chain: it belongs on another machine, in other hands, "
            "than the database.",
        )
    )


def _proven(chain: ChainReport, checks: Sequence[AnchorCheck]) -> Iterator[Html | str]:
    if chain.verdict == "unverified":
        yield "Nothing: the chain could not be verified."
    elif chain.verdict == "tampered":
        yield "The chain is not as it was written: see the findings."
    elif not chain.entries:
        yield "Nothing: the chain has no entry."
    else:
        yield (
            f"The {chain.entries:,} entries follow from one another: none was edited, removed, inserted or moved, "
            "unless all entries after it were sealed anew."
        )
    if failed := sum(not check.holds for check in checks):
        yield f"{failed:,} of {len(checks):,} checkpoints of anchors do not hold: the chain is not what was signed."
    best: dict[int | None, AnchorCheck] = {}
    for check in checks:
        if check.holds and (
            check.segment not in best or best[check.segment].position < check.position
        ):
            best[check.segment] = check
    for check in best.values():
        yield _joined(
            f"Segment {_number(check.segment)} up to position {_number(check.position)}: the entries are, with all"
            " columns that were signed, what key ",
            _value(check.key_id),
            " signed at ",
            _value(check.created_at),
            " (",
            _value(check.anchor),
            ").",
        )


def _unproven(chain: ChainReport, checks: Sequence[AnchorCheck]) -> Iterator[str]:
    if chain.verdict == "unverified":
        yield "Everything."
        return
    if not checks:
        yield (
            f"No anchor of this chain was given. All {chain.unproven:,} entries are unproven against rewriting from "
            "some entry on, a cut tail, and a replaced chain: whoever can write the table can seal it anew."
        )
    else:
        if chain.unproven:
            yield f"Entries that no anchor covers: {chain.unproven:,}, unproven against rewriting and a cut tail."
        yield "Entries that were written after the last anchor and cut off again leave no trace."
    if chain.scope != "all":
        yield f"Only a part was read ({shown(chain.scope)}); for the rest an earlier verification was believed."
    if unsealed := _UNSEALED.get(chain.chain):
        yield f"The hashes do not seal {unsealed}: only an anchor shows a change there."


def _segments(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "Segments")
    for chain in report.chains:
        if not chain.segments:
            yield _element("p", _value(chain.chain), " has none.")
            continue
        yield _table(
            f"{shown(chain.chain)}: its segments, each by its own hashes, whatever an anchor says",
            ("Segment", "Verdict", "Positions", "Entries", "First bad", "Last hash"),
            (
                (
                    _number(part.segment),
                    _mark(_VERDICTS[part.verdict]),
                    f"{_number(part.first_position)} to {_number(part.last_position)}",
                    _number(part.entries),
                    _number(part.first_bad_position),
                    _value(part.head_hash),
                )
                for part in chain.segments
            ),
            numbers=("Segment", "Entries", "First bad"),
        )


def _findings(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "Findings")
    if not any(chain.findings or chain.counts for chain in report.chains):
        yield _element("p", "None.")
    for chain in report.chains:
        severities = {finding.kind: finding.severity for finding in chain.findings}
        if chain.counts:
            yield _table(
                f"{shown(chain.chain)}: how many of each kind",
                ("Kind", "Weight", "Count"),
                (
                    (
                        shown(kind),
                        _mark(_SEVERITIES[severities.get(kind) or KINDS.get(kind, ("broken",))[0]]),
                        _number(count),
                    )
                    for kind, count in chain.counts.items()
                ),
                numbers=("Count",),
            )
        if chain.findings:
            more = sum(chain.counts.values()) - len(chain.findings)
            yield _table(
                f"{shown(chain.chain)}: the first ones"
                + (f"; {more:,} more are not listed" if more > 0 else ""),
                ("Segment", "Position", "Entry", "Kind", "Expected", "Found"),
                (
                    (
                        _number(finding.segment),
                        _number(finding.position),
                        _value(finding.entry_id),
                        _mark((*_SEVERITIES[finding.severity][:2], shown(finding.kind))),
                        _value(finding.expected),
                        _value(finding.found),
                    )
                    for finding in chain.findings
                ),
                numbers=("Segment", "Position"),
            )


def _anchors(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "Anchors")
    if not report.anchors:
        yield _element(
            "p",
            "None was given. ",
            _element("code", "grace-dbt audit anchor --out FILE"),
            " signs what the chains hold; keep the file where nobody can write who can write the database.",
        )
        return
    yield _table(
        "Each checkpoint of each anchor, held against the chain",
        ("Anchor", "Key", "Signed", "Chain", "Segment", "Position", "Verdict"),
        (
            (
                _value(check.anchor),
                _value(check.key_id),
                _value(check.created_at),
                _value(check.chain),
                _number(check.segment),
                _number(check.position),
                _mark(
                    ("good", "\u2713", "Holds")
                    if check.holds
                    else ("bad", "\u2717", "Does not hold")
                ),
            )
            for check in report.anchors
        ),
        numbers=("Segment", "Position"),
    )


def _glossary() -> Iterator[Html]:
    yield _element("h2", "Kinds of findings")
    yield _table(
        "A warning does not spoil the verdict: it has harmless causes as well.",
        ("Kind", "Weight", "Meaning"),
        ((kind, _mark(_SEVERITIES[weight]), text) for kind, (weight, text) in KINDS.items()),
    )


# --- how to repeat it


def _command(command: str, prints: str) -> Html:
    return _element(
        "pre", _element("code", command, class_="command"), "\n", _element("output", prints)
    )


def _hashed(text: str) -> str:
    return f"printf '%s' {shlex.quote(text)} | sha256sum"


def _by_hand(report: VerificationReport) -> Iterator[Html]:
    yield _element("h2", "How to repeat it by hand")
    yield _element(
        "p",
        "A shell with printf and sha256sum is enough. Below each command stands what it must print. The examples "
        "are not from this database.",
    )
    yield from _by_hand_immutable()
    yield from _by_hand_audit()
    yield from _by_hand_here(report)
    yield from _by_hand_merkle()


def _by_hand_immutable() -> Iterator[Html]:
    actor, action, resource = "testuser", "knowledge.ingested", "Test Knowledge"
    payload, result = '{"artifact_id": 1, "domain": "test", "type": "text"}', "published"
    yield _element("h3", "immutable_log, own")
    yield _element(
        "p",
        "The fields as they are stored, with colons between them, and the word None where a field is NULL: sequence, "
        "actor, action, resource, payload, result, previous_hash. The first sequence is 1, and its previous_hash is 64 "
        "zeros. The hash is entry_hash, and previous_hash of the next entry.",
    )
    yield _command(
        _hashed(f"1:{actor}:{action}:{resource}:{payload}:{result}:{ZEROS}"),
        entry_hash(
            1,
            actor=actor,
            action=action,
            resource=resource,
            payload=payload,
            result=result,
            previous=ZEROS,
        ),
    )


def _by_hand_audit() -> Iterator[Html]:
    entry, level = "governance_action_20250928_095538_000001", "democratic_oversight"
    category, timestamp = "governance_action", "2025-09-28T09:55:38.612416"
    data = {
        "action_type": "kernel_shutdown",
        "action_data": {
            "timestamp": "2025-09-28T09:55:38.610904",
            "snapshot_id": "govsnap_20250928_095538_5b433e1b",
            "reason": "graceful_shutdown",
        },
        "logged_by": "governance_engine",
    }
    previous = "5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523"
    content = json.dumps(
        {
            "category": category,
            "data": data,
            "entry_id": entry,
            "timestamp": timestamp,
            "transparency_level": level,
        },
        sort_keys=True,
    )
    sealed = content_hash(entry, category=category, data=data, level=level, timestamp=timestamp)
    yield _element("h3", "audit_logs")
    yield _element(
        "p",
        "First the content, as JSON: keys sorted at every depth, a blank after each comma and colon, all but ASCII "
        "spelled \\uXXXX. In Python that is json.dumps(..., sort_keys=True); data is what data_json says. The "
        "result is the column hash.",
    )
    yield _command(_hashed(content), sealed)
    yield _element(
        "p",
        "Then hash, previous_hash and chain_position, with colons. A segment begins at position 0 with the word "
        f"{GENESIS}. The result is chain_hash, and previous_hash of the next entry.",
    )
    yield _command(
        _hashed(f"{sealed}:{previous}:1"), chain_hash(sealed, previous=previous, position=1)
    )


def _by_hand_here(report: VerificationReport) -> Iterator[Html]:
    """The last entry of each chain that is intact, read by the client of its database."""
    commands = []
    for chain in report.chains:
        reader = _reader(report.url, chain.chain)
        part = _last_intact(chain)
        if reader and part and part.head_hash:
            commands.append(_command(reader(part), part.head_hash))
    if commands:
        yield _element("h3", "The last entries of this database")
        yield _element(
            "p",
            "The client of the database reads what is sealed, and head takes the line end off that the client adds.",
        )
        yield from commands


def _last_intact(chain: ChainReport) -> Segment | None:
    """The last segment, where its hash is one: what a tampered table holds never becomes part of a command."""
    parts = [part for part in chain.segments if part.verdict == "intact" and part.entries]
    last = max(parts, key=lambda part: part.segment, default=None)
    return last if last and _HASH.fullmatch(last.head_hash or "") else None


def _reader(url: str, chain: str) -> Callable[[Segment], str] | None:
    """What writes the command for a segment; None where the database is none that has a client."""
    client, dialect, schema = 'sqlite3 -readonly "$GRACE_HOME/audit.sqlite"', "sqlite", ""
    if chain != "own":
        try:
            database = OperationalUrl.parse(url)
        except (GraceError, ValueError):
            return None
        if not url.isprintable() or not isinstance(database, FileUrl | ServerUrl):
            return None
        dialect, client, schema = database.dialect, *_client(database)

    def command(part: Segment) -> str:
        sql = _sealed_sql(dialect, schema, chain, part)
        # Between double quotes it can be read; the value of a name might mean something there.
        word = f'"{sql}"' if not re.search(r'["$`\\!]', sql) else shlex.quote(sql)
        return f"{client} {word} | head -c -1 | sha256sum"

    return command


def _client(database: FileUrl | ServerUrl) -> tuple[str, str]:
    """A command that takes SQL as its last word and prints bare rows, and the schema of the tables."""
    if isinstance(database, FileUrl):
        path = shlex.quote(str(database.path))
        if database.dialect == "sqlite":
            return f"sqlite3 -readonly {path}", ""
        return f"duckdb -readonly -noheader -list {path} -c", ""
    host, port = shlex.quote(database.host), database.port
    user, name = shlex.quote(database.user), shlex.quote(database.database)
    if database.dialect == "postgres":
        schema = "" if database.namespace == "public" else f'"{database.namespace}".'
        return f"PGCLIENTENCODING=UTF8 psql -XAt -h {host} -p {port} -U {user} -d {name} -c", schema
    return (
        f"mariadb --default-character-set=utf8mb4 -N -r -h {host} -P {port} -u {user} -p {name} -e",
        "",
    )


def _sealed_sql(dialect: str, schema: str, chain: str, part: Segment) -> str:
    text = "char" if dialect == "mysql" else "text"

    def joined(*columns: str) -> str:
        if dialect == "mysql":
            return "concat({})".format(", ':', ".join(columns))
        return " || ':' || ".join(columns)

    if chain == "audit_logs":
        sealed = joined("hash", "previous_hash", "chain_position")
        return f"select {sealed} from {schema}audit_logs where chain_hash = '{part.head_hash}'"
    fields = ("actor", "action", "resource", "payload", "result")
    said = (f"coalesce(cast({field} as {text}), 'None')" for field in fields)
    sealed = joined("sequence", *said, "previous_hash")
    return f"select {sealed} from {schema}immutable_log where sequence = {part.last_position}"


def _by_hand_merkle() -> Iterator[Html]:
    rows = (
        "row:sequence=1:1;actor=4:Zo\u00eb;resource=-;",
        "row:sequence=1:2;actor=5:Alice;resource=3:a;b;",
    )
    yield _element("h3", "The root that an anchor signs")
    yield _element(
        "p",
        "Each row becomes text: for each column in the order that the anchor names, ",
        _element("code", "<name>=<n>:<value>;"),
        " with n the number of bytes of the value in UTF-8, and ",
        _element("code", "<name>=-;"),
        " for NULL. The hash of a row is that of ",
        _element("code", "row:"),
        " and this text.",
    )
    hashes = [_sha256(row) for row in rows]
    for row, found in zip(rows, hashes, strict=True):
        yield _command(_hashed(row), found)
    yield _element(
        "p",
        "Then up to 1,024 hashes in a row, in the order of the chain, become one: that of ",
        _element("code", "node:"),
        " and the hashes, each with a line end. So on, level by level, until one is left: the root.",
    )
    yield _command(
        f"printf 'node:%s\\n%s\\n' {' '.join(hashes)} | sha256sum",
        _sha256("node:" + "".join(f"{found}\n" for found in hashes)),
    )
    yield _element(
        "p",
        "The signature of an anchor is Ed25519, over the file as JSON with sorted keys, without blanks, in ASCII, and "
        "without its signature; grace-dbt audit verify --anchor FILE --public-key FILE checks it.",
    )


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
