"""Verify audit chains: the macros of `macros/audit_chain` look, this module asks, compares with anchors and records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from grace_dbt.audit.anchors import Anchor, disagreements, read_anchor
from grace_dbt.audit.own_log import own_file
from grace_dbt.audit.records import Known, latest_verifications, record, remembered
from grace_dbt.audit.results import (
    NOWHERE,
    AnchorCheck,
    ChainReport,
    Checkpoint,
    Finding,
    Segment,
    VerificationReport,
)
from grace_dbt.dbt_runner import printed_by
from grace_dbt.errors import ExitCode, GraceError, listed
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OPERATIONAL_CHAINS = ("immutable_log", "audit_logs")
OWN = "own"
CHAINS = (*OPERATIONAL_CHAINS, OWN)
# Of each kind so many findings are told; how many there are is told of all.
SHOWN = 20

Facts = Mapping[str, Any]


def verify_chains(
    settings: Settings,
    chains: Sequence[str] | None = None,
    *,
    since_checkpoint: bool = False,
    anchors: Sequence[Path] = (),
    public_key: Ed25519PublicKey | None = None,
    record_result: bool = True,
    in_database: bool = True,
) -> VerificationReport:
    """Verify chains on the database as it is now.

    Args:
        settings: The installation and its operational database.
        chains: Any of `immutable_log`, `audit_logs` and `own`, which stands under GRACE_HOME; None for those of Grace
            that the database has. One that is gone, though it was verified before, could not be verified.
        since_checkpoint: Look only at what came behind the last place up to which the chain was found intact.
        anchors: Files against which the chains are held.
        public_key: By which the anchors were signed.
        record_result: Write the result down under GRACE_HOME.
        in_database: And in the database, where it may be written.

    Raises:
        GraceError: The database can't be reached, or an anchor proves nothing (exit code 3); anchors were given
            together with `since_checkpoint`, or without a key (2).
    """
    if anchors and since_checkpoint:
        raise GraceError(
            "An anchor covers a chain from its beginning.",
            "Give --anchor or --since-checkpoint, not both.",
            ExitCode.USAGE,
        )
    if anchors and public_key is None:
        raise GraceError(
            "An anchor proves nothing without the key that it was signed by.",
            "Give --public-key FILE.",
            ExitCode.USAGE,
        )
    held = [read_anchor(path, public_key) for path in anchors if public_key is not None]
    asked = _with_anchored(chains, held)
    began = datetime.now(UTC)
    notes = [
        f"the anchor {anchor.path} was made of another database, {anchor.database}"
        for anchor in held
        if anchor.database != str(settings.operational)
    ]
    reports: list[ChainReport] = []
    checks: list[AnchorCheck] = []
    disagreeing = disagreements(held)
    for place, names in _by_place(settings, asked):
        known = {name: remembered(settings, place.operational, name) for name in names}
        since = _places_to_begin(place, known, notes) if since_checkpoint else {}
        wanted = {name: _wanted(held, name) for name in names}
        for facts in _look(place, names, known, since, wanted):
            name = facts["name"]
            if chains is None and facts["lacks"] == [name] and not _was_there(settings, name, held):
                notes.append(f"the database has no {name}")
                continue
            report = _report(facts, since.get(name))
            against = list(_against(report, facts, wanted[name]))
            checks += [check for check, _ in against]
            found = [finding for _, finding in against if finding is not None]
            found += [finding for finding in disagreeing if finding.chain == name]
            found += _changed_before(facts, known[name], is_partial=name in since)
            reports.append(_proven(_with(report, found), [check for check, _ in against], facts))
    if not reports:
        raise GraceError(
            f"{settings.operational} has no audit chain.",
            f"Create the tables with: grace-dbt init --db {settings.operational}",
        )
    told = VerificationReport(
        str(settings.operational),
        began.isoformat(timespec="milliseconds"),
        tuple(sorted(reports, key=lambda report: CHAINS.index(report.chain))),
        tuple(checks),
        NOWHERE,
        tuple(notes),
    )
    return record(settings, told, in_database=in_database) if record_result else told


def take_checkpoints(settings: Settings, chains: Sequence[str] | None = None) -> list[Checkpoint]:
    """What an anchor of these chains would sign: a checkpoint at the end of each segment; an empty chain has none.

    Args:
        settings: The installation and its operational database.
        chains: As for `verify_chains`.

    Raises:
        GraceError: A chain is tampered with (exit code 1), or can't be read (3).
    """
    taken: list[Checkpoint] = []
    for place, names in _by_place(settings, chains):
        for facts in _look(place, names, {}, {}, {}, ends=True):
            if chains is None and facts["lacks"] == [facts["name"]]:
                continue
            report = _report(facts, None)
            if report.verdict == "tampered":
                raise GraceError(
                    f"The chain {report.chain} is tampered with: an anchor of it would prove nothing.",
                    f"See what is wrong: grace-dbt audit verify --chain {report.chain}",
                    ExitCode.BAD,
                )
            if report.trouble:
                raise GraceError(
                    f"The chain {report.chain} can't be read: {report.trouble}.",
                    "Name another chain, or see: grace-dbt health",
                )
            taken += [_checkpoint(report.chain, found) for found in facts["checkpoints"]]
    return taken


# Asking


def _was_there(settings: Settings, chain: str, anchors: Iterable[Anchor]) -> bool:
    """Whether a chain that the database lacks is known from an earlier verification, or from an anchor."""
    former = latest_verifications(settings).get(chain, {})
    # A look that finds it gone leaves the last two as they were.
    seen = any(former.get(name) for name in ("entries", "known", "full_at"))
    was_verified = seen and former.get("url") == str(settings.operational)
    return was_verified or bool(_wanted(anchors, chain))


def _with_anchored(chains: Sequence[str] | None, anchors: Sequence[Anchor]) -> Sequence[str] | None:
    """The chains to look at; where none is named those of the anchors are among them.

    Raises:
        GraceError: An anchor says nothing of any of them.
    """
    if chains is None:
        anchored = {point.chain for anchor in anchors for point in anchor.checkpoints}
        return (*OPERATIONAL_CHAINS, OWN) if OWN in anchored else None
    for anchor in anchors:
        if not {point.chain for point in anchor.checkpoints}.intersection(chains):
            raise GraceError(
                f"The anchor {anchor.path} says nothing of {listed(list(chains))}.",
                f"It is of: {listed(sorted({point.chain for point in anchor.checkpoints}))}.",
                ExitCode.USAGE,
            )
    return chains


def _by_place(settings: Settings, chains: Sequence[str] | None) -> list[tuple[Settings, list[str]]]:
    """The settings by which each database is read, and the chains that stand in it."""
    chains = OPERATIONAL_CHAINS if chains is None else chains
    unknown = [name for name in chains if name not in CHAINS]
    if unknown or not chains:
        raise GraceError(
            f"There is no chain {listed(unknown)}." if unknown else "No chain is named.",
            f"Name one of: {', '.join(CHAINS)}.",
            ExitCode.USAGE,
        )
    places = []
    operational = [name for name in chains if name != OWN]
    if operational:
        places.append((settings, operational))
    if OWN in chains:
        url = OperationalUrl.parse(f"sqlite:///{own_file(settings)}")
        places.append((replace(settings, operational=url), [OWN]))
    return places


def _look(
    settings: Settings,
    chains: Sequence[str],
    known: Mapping[str, Known | None],
    since: Mapping[str, Known],
    wanted: Mapping[str, Sequence[tuple[Anchor, Checkpoint]]],
    *,
    ends: bool = False,
) -> list[dict[str, Any]]:
    """What the macro found, a dictionary a chain, under the name by which the chain was asked for."""
    tables = {name: "immutable_log" if name == OWN else name for name in chains}
    names = {table: name for name, table in tables.items()}
    if OWN in chains and not own_file(settings).exists():
        return [{"name": OWN, "lacks": [f"{settings.operational} (nothing was logged yet)"]}]
    settings.operational.require_present()
    with open_database(settings.operational, write=False):
        pass  # says in two lines what is the matter with a database that can't be opened
    arguments = {
        "chain": "all" if len(tables) > 1 else next(iter(tables.values())),
        "since": {tables[n]: vars(since[n]) for n in chains if n in since},
        "look_at": {tables[n]: vars(place) for n in chains if (place := known.get(n))},
        "limit": SHOWN,
        "checkpoints": {
            tables[name]: [
                {"first_hash": c.first_hash, "position": c.position, "columns": list(c.columns)}
                for _, c in checkpoints
            ]
            for name, checkpoints in wanted.items()
            if name in tables
        },
        "ends": ends,
        "raises": False,
    }
    try:
        found = printed_by("verify_audit_chain", "audit-chains", arguments, settings, target="live")
    except GraceError as error:
        unreadable = GraceError(
            f"The chains of {settings.operational} can't be read: {error.message}", error.hint
        )
        if len(tables) == 1:
            raise unreadable from error
        # What is in the way of one chain may be in the way of no other.
        singly: list[dict[str, Any]] = []
        for name in chains:
            try:
                singly += _look(settings, [name], known, since, wanted, ends=ends)
            except GraceError as trouble:
                singly.append({"name": name, "lacks": [], "trouble": trouble.message})
        if all("trouble" in facts for facts in singly):
            raise unreadable from error
        return singly
    return [{**facts, "name": names[facts["chain"]]} for facts in found]


def _places_to_begin(
    place: Settings, known: Mapping[str, Known | None], notes: list[str]
) -> dict[str, Known]:
    """From where to look at each chain; one without such a place, or of several segments, is looked at as a whole."""
    since = {}
    for name, checkpoint in known.items():
        if checkpoint is None:
            notes.append(f"{name} has no checkpoint yet: all of it was verified")
        elif name == "audit_logs" and _begins_twice(place.operational):
            notes.append(f"{name} has several segments: all of it was verified")
        else:
            since[name] = checkpoint
    return since


def _begins_twice(url: OperationalUrl) -> bool:
    with open_database(url, write=False) as database:
        try:
            return database.finds(
                "select 1 from audit_logs where chain_position = 0 limit 1 offset 1"
            )
        except GraceError:  # what is in the way is told of the chain itself
            return False


# Reading what was found


def _report(facts: Facts, known: Known | None) -> ChainReport:
    name = facts["name"]
    trouble = facts.get("trouble") or (
        f"there is no {listed(facts['lacks'])}" if facts["lacks"] else None
    )
    if trouble:
        return ChainReport(name, "all", "unverified", 0, (), (), {}, 0, trouble)
    segments = tuple(
        Segment(**{k: v for k, v in row.items() if k != "findings"} | {"chain": name})
        for row in facts["segments"]
        if row["entries"] or row["findings"] or row["segment"] == 1
    )
    entries = sum(segment.entries for segment in segments)
    scope = "all"
    if known is not None:
        last = segments[0].last_position
        scope = (
            f"partial: {known.position + 1}..{last}"
            if entries
            else f"partial: nothing behind {known.position}"
        )
    return ChainReport(
        name,
        scope,
        "tampered" if any(s.verdict == "tampered" for s in segments) else "intact",
        entries,
        segments,
        tuple(Finding(**row | {"chain": name}) for row in facts["findings"]),
        {row["kind"]: row["findings"] for row in facts["counts"]},
        entries,
    )


def _with(report: ChainReport, found: Sequence[Finding]) -> ChainReport:
    """A report to which findings are added that the chain alone doesn't give."""
    if not found:
        return report
    counts = defaultdict(int, report.counts)
    for finding in found:
        counts[finding.kind] += 1
    broken = any(finding.severity == "broken" for finding in found)
    return replace(
        report,
        verdict="tampered" if broken else report.verdict,
        findings=(*report.findings, *found),
        counts=dict(sorted(counts.items())),
    )


def _changed_before(facts: Facts, known: Known | None, *, is_partial: bool) -> list[Finding]:
    """What is no longer as it was at the last place up to which a chain was found intact.

    That place is remembered without a signature, and a database may be made anew under its old name: where all of the
    chain was looked at it is a warning. What was not looked at stands on that place alone.
    """
    if known is None or "known_hash" not in facts or facts["known_hash"] == known.seal:
        return []
    here, entries = facts["known_hash"], sum(row["entries"] for row in facts["segments"])
    kind = "rewritten" if here or (entries and is_partial) else "tail cut"
    severity: Literal["broken", "warning"] = "broken" if is_partial else "warning"
    return [
        Finding(facts["name"], 1, known.position, None, kind, severity, known.seal, here or "none")
    ]


# Anchors


def _wanted(anchors: Iterable[Anchor], chain: str) -> list[tuple[Anchor, Checkpoint]]:
    return [(a, point) for a in anchors for point in a.checkpoints if point.chain == chain]


def _against(
    report: ChainReport, facts: Facts, wanted: Sequence[tuple[Anchor, Checkpoint]]
) -> Iterable[tuple[AnchorCheck, Finding | None]]:
    """Each checkpoint held against what the chain has there now, and what differs."""
    points = facts.get("checkpoints", [])
    for (anchor, point), found in zip(wanted[: len(points)], points, strict=True):
        difference = _difference(point, found, report)
        finding = None
        if difference is not None:
            kind, expected, here = difference
            finding = Finding(
                report.chain, found["segment"], point.position, None, kind, "broken", expected, here
            )
        yield _check(report.chain, anchor, point, found["segment"], difference is None), finding
    for anchor, point in wanted[len(points) :]:
        yield _check(report.chain, anchor, point, None, False), None


def _check(
    chain: str, anchor: Anchor, point: Checkpoint, segment: int | None, holds: bool
) -> AnchorCheck:
    return AnchorCheck(
        anchor.path, anchor.key_id, anchor.created_at, chain, segment, point.position, holds
    )


def _difference(
    point: Checkpoint, found: Facts, report: ChainReport
) -> tuple[str, str, str] | None:
    """Kind, expected and found where a chain is not what was anchored; the first that shows."""
    lasts = {segment.segment: segment.last_position for segment in report.segments}
    last = lasts.get(found["segment"])
    if last is None:
        return "segment missing", point.first_hash, "none"
    if last < point.position:
        return "tail cut", f"an entry at {point.position}", f"the last one is at {last}"
    comparisons = (
        ("rewritten", point.head_hash, found["head_hash"] or "no entry"),
        ("rewritten", point.first_hash, found["first_hash"]),
        ("content differs", f"{point.entries} entries", f"{found['entries']} entries"),
        ("content differs", point.merkle_root, found["merkle_root"] or "a column is gone"),
    )
    return next((found for found in comparisons if found[1] != found[2]), None)


def _proven(report: ChainReport, checks: Sequence[AnchorCheck], facts: Facts) -> ChainReport:
    """A report that says how many entries no anchor speaks for."""
    proven: dict[int, int] = {}
    for check, found in zip(checks, facts.get("checkpoints", []), strict=False):
        if check.holds and check.segment is not None:
            proven[check.segment] = max(proven.get(check.segment, 0), found["entries"])
    return replace(report, unproven=report.entries - sum(proven.values()))


def _checkpoint(chain: str, found: Facts) -> Checkpoint:
    return Checkpoint(
        chain,
        found["segment"],
        found["first_hash"],
        found["position"],
        found["entries"],
        found["head_hash"],
        found["merkle_root"],
        tuple(found["columns"]),
    )
