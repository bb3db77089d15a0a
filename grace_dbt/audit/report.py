"""One HTML page that tells what a verification found, what it proves and what it does not.

It is for people without our tools, who need not be allowed to read the log: of an entry it holds no more than a finding
names. Everything in it that came from a database or an anchor is escaped, and what can't be seen is spelled out.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from grace_dbt import __version__
from grace_dbt.audit.anchors import write_whole
from grace_dbt.audit.report_by_hand import by_hand
from grace_dbt.audit.report_markup import (
    STYLE,
    Html,
    bullets,
    element,
    joined,
    marked,
    number_cell,
    quoted_value,
    table_of,
)
from grace_dbt.errors import ExitCode
from grace_dbt.visible_text import shown

if TYPE_CHECKING:
    from grace_dbt.audit.results import (
        AnchorCheck,
        ChainReport,
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


def write_report(report: VerificationReport, path: Path) -> None:
    """Write the page, as a whole or not at all; a former one is replaced.

    Raises:
        GraceError: The name is that of no plain file (exit code 2), or it can't be written (3).
    """
    write_whole(path, page(report).encode(), overwrite=True)


def page(report: VerificationReport) -> str:
    """The page: no script, nothing from a network, readable on paper as well."""
    title = "Audit chain verification"
    body = element(
        "main",
        element("h1", title),
        _banner(report),
        *_checked(report),
        *_verdicts(report),
        *_proof(report),
        *_segments(report),
        *_findings(report),
        *_anchors(report),
        *by_hand(report),
        *_glossary(),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # A second lock, should anything ever get past the escaping.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(f'{title}. {_headline(report)}. {shown(report.verified_at)}')}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


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
    return element(
        "div",
        element("strong", element("span", sign, aria_hidden="true"), f" {_headline(report)}"),
        element("p", told),
        class_=f"banner {style}",
    )


def _checked(report: VerificationReport) -> Iterator[Html]:
    yield element("h2", "What was checked")
    facts = {
        "Database": quoted_value(report.url),
        "Began": quoted_value(report.verified_at),
        "Chains": joined(*_comma(quoted_value(chain.chain) for chain in report.chains)),
        "Recorded": quoted_value(report.recorded),
        "Made by": f"grace-dbt {__version__}, Python {platform.python_version()}, "
        f"DuckDB {version('duckdb')}, cryptography {version('cryptography')}",
        "Exit code": str(int(report.exit_code)),
    }
    yield element(
        "dl",
        *(
            part
            for name, fact in facts.items()
            for part in (element("dt", name), element("dd", fact))
        ),
    )
    if report.notes:
        yield bullets(shown(note) for note in report.notes)


def _comma(parts: Iterable[Html]) -> Iterator[str]:
    for place, part in enumerate(parts):
        if place:
            yield ", "
        yield part


def _verdicts(report: VerificationReport) -> Iterator[Html]:
    yield element("h2", "Verdicts")
    yield table_of(
        "One line for each chain. Unproven entries are those that no anchor covers.",
        ("Chain", "Verdict", "Scope", "Entries", "Unproven", "Findings"),
        (
            (
                quoted_value(chain.chain),
                marked(_VERDICTS[chain.verdict]),
                shown(chain.scope),
                number_cell(chain.entries),
                number_cell(chain.unproven),
                number_cell(sum(chain.counts.values())),
            )
            for chain in report.chains
        ),
        numbers=("Entries", "Unproven", "Findings"),
    )
    troubles = [chain for chain in report.chains if chain.trouble]
    if troubles:
        yield bullets(
            joined(quoted_value(chain.chain), f": {shown(chain.trouble)}") for chain in troubles
        )


def _proof(report: VerificationReport) -> Iterator[Html]:
    yield element("h2", "What is proven, and what is not")
    for chain in report.chains:
        checks = [check for check in report.anchors if check.chain == chain.chain]
        yield element("h3", quoted_value(chain.chain))
        yield element("p", element("strong", "Proven"))
        yield bullets(_proven(chain, checks))
        yield element("p", element("strong", "Unproven"))
        yield bullets(_unproven(chain, checks))
    yield element("h3", "All chains")
    yield bullets(
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
        yield joined(
            f"Segment {number_cell(check.segment)} up to position {number_cell(check.position)}: the entries are, with"
            " all columns that were signed, what key ",
            quoted_value(check.key_id),
            " signed at ",
            quoted_value(check.created_at),
            " (",
            quoted_value(check.anchor),
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
    yield element("h2", "Segments")
    for chain in report.chains:
        if not chain.segments:
            yield element("p", quoted_value(chain.chain), " has none.")
            continue
        yield table_of(
            f"{shown(chain.chain)}: its segments, each by its own hashes, whatever an anchor says",
            ("Segment", "Verdict", "Positions", "Entries", "First bad", "Last hash"),
            (
                (
                    number_cell(part.segment),
                    marked(_VERDICTS[part.verdict]),
                    f"{number_cell(part.first_position)} to {number_cell(part.last_position)}",
                    number_cell(part.entries),
                    number_cell(part.first_bad_position),
                    quoted_value(part.head_hash),
                )
                for part in chain.segments
            ),
            numbers=("Segment", "Entries", "First bad"),
        )


def _findings(report: VerificationReport) -> Iterator[Html]:
    yield element("h2", "Findings")
    if not any(chain.findings or chain.counts for chain in report.chains):
        yield element("p", "None.")
    for chain in report.chains:
        severities = {finding.kind: finding.severity for finding in chain.findings}
        if chain.counts:
            yield table_of(
                f"{shown(chain.chain)}: how many of each kind",
                ("Kind", "Weight", "Count"),
                (
                    (
                        shown(kind),
                        marked(
                            _SEVERITIES[severities.get(kind) or KINDS.get(kind, ("broken",))[0]]
                        ),
                        number_cell(count),
                    )
                    for kind, count in chain.counts.items()
                ),
                numbers=("Count",),
            )
        if chain.findings:
            more = sum(chain.counts.values()) - len(chain.findings)
            yield table_of(
                f"{shown(chain.chain)}: the first ones"
                + (f"; {more:,} more are not listed" if more > 0 else ""),
                ("Segment", "Position", "Entry", "Kind", "Expected", "Found"),
                (
                    (
                        number_cell(finding.segment),
                        number_cell(finding.position),
                        quoted_value(finding.entry_id),
                        marked((*_SEVERITIES[finding.severity][:2], shown(finding.kind))),
                        quoted_value(finding.expected),
                        quoted_value(finding.found),
                    )
                    for finding in chain.findings
                ),
                numbers=("Segment", "Position"),
            )


def _anchors(report: VerificationReport) -> Iterator[Html]:
    yield element("h2", "Anchors")
    if not report.anchors:
        yield element(
            "p",
            "None was given. ",
            element("code", "grace-dbt audit anchor --out FILE"),
            " signs what the chains hold; keep the file where nobody can write who can write the database.",
        )
        return
    yield table_of(
        "Each checkpoint of each anchor, held against the chain",
        ("Anchor", "Key", "Signed", "Chain", "Segment", "Position", "Verdict"),
        (
            (
                quoted_value(check.anchor),
                quoted_value(check.key_id),
                quoted_value(check.created_at),
                quoted_value(check.chain),
                number_cell(check.segment),
                number_cell(check.position),
                marked(
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
    yield element("h2", "Kinds of findings")
    yield table_of(
        "A warning does not spoil the verdict: it has harmless causes as well.",
        ("Kind", "Weight", "Meaning"),
        ((kind, marked(_SEVERITIES[weight]), text) for kind, (weight, text) in KINDS.items()),
    )
