"""What was verified, and when: in the operational database where it may be written, and always under GRACE_HOME."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from grace_dbt.audit.results import NOWHERE, ChainReport, VerificationReport
from grace_dbt.errors import GraceError
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl
from grace_dbt.settings import Settings

NAME = "audit.json"
TABLE = "chain_verification"
_HASH = re.compile(r"[0-9a-f]{64}")
_POSITION = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Known:
    """A place up to which a chain was found intact.

    Attributes:
        position: Of an entry.
        seal: What sealed it then, 64 hex digits.
    """

    position: int
    seal: str


def latest_verifications(settings: Settings) -> dict[str, Any]:
    """How each chain was verified last, by its name; a record that is missing or can't be read is none.

    Of each: `url`, `verified_at`, `scope`, `verdict`, `entries`, `findings`, `first_bad_position`, `unproven`, and
    `trouble`, what was in the way. `full_at` is when all of it was looked at last, `known` the last place up to which
    it was intact.
    """
    try:
        records = json.loads((settings.home / NAME).read_text())
        return {name: facts for name, facts in records.items() if _is_record(facts)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _is_record(facts: object) -> bool:
    """Whether it is what `record` writes, as far as anybody reads it: somebody may have edited the file."""
    return (
        isinstance(facts, dict)
        and all(isinstance(facts.get(n), str) for n in ("url", "verified_at", "scope", "verdict"))
        and all(isinstance(facts.get(n), int) for n in ("entries", "findings", "unproven"))
    )


def _moment(text: object) -> datetime | None:
    """A time with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def remembered(settings: Settings, url: OperationalUrl, chain: str) -> Known | None:
    """The place up to which a chain was found intact last, by GRACE_HOME or else by the database itself."""
    facts = latest_verifications(settings).get(chain, {})
    if facts.get("url") == str(url) or chain == "own":
        try:
            known = _known(facts["known"]["position"], facts["known"]["seal"])
        except (KeyError, TypeError):
            known = None
        if known is not None:
            return known
    return None if chain == "own" else _told_by_database(url, chain)


def _known(position: object, seal: object) -> Known | None:
    """A place, if it is one: both values become part of a query."""
    if not _POSITION.fullmatch(str(position)) or not _HASH.fullmatch(str(seal)):
        return None
    return Known(int(str(position)), str(seal))


def _told_by_database(url: OperationalUrl, chain: str) -> Known | None:
    with open_database(url, write=False) as database:
        if TABLE not in database.reflect([TABLE]).tables:
            return None
        try:
            rows = database.run(
                f"select end_position, chain_hash from {TABLE} where verification_result ="
                f" {database.value_mark} order by id desc limit 1",
                [_words(chain, "intact")],
            )
        except GraceError:  # a table that may not be read, or is another one, tells nothing
            return None
    return _known(*rows[0]) if rows else None


def _words(chain: str, result: str) -> str:
    """A verdict as `chain_verification` has it; without a name it is of `audit_logs`, as Grace writes it."""
    return result if chain == "audit_logs" else f"{chain}: {result}"


def last_full_look(settings: Settings) -> datetime | None:
    """When the chains of this database were looked at as a whole last; None where one of them never was."""
    looks = [
        _moment(facts.get("full_at"))
        for chain, facts in latest_verifications(settings).items()
        if chain != "own" and facts.get("url") == str(settings.operational)
    ]
    moments = [look for look in looks if look]
    return min(moments) if moments and len(moments) == len(looks) else None


def record(
    settings: Settings, report: VerificationReport, *, in_database: bool
) -> VerificationReport:
    """Write a result down; what can't be written is a note, and spoils nothing.

    Args:
        settings: The installation.
        report: The result.
        in_database: Whether to write to the operational database as well as under GRACE_HOME.

    Returns:
        The report, which says where it was recorded.
    """
    places, notes = [], list(report.notes)
    try:
        if in_database and _record_in_database(settings, report):
            places.append(f"{TABLE} of {report.url}")
    except GraceError as error:
        notes.append(f"not recorded in the database: {error.message}")
    try:
        _record_at_home(settings, report)
        places.append(str(settings.home / NAME))
    except (OSError, GraceError) as error:
        notes.append(f"not recorded under GRACE_HOME: {error}")
    return replace(report, recorded=" and ".join(places) or NOWHERE, notes=tuple(notes))


def _record_in_database(settings: Settings, report: VerificationReport) -> bool:
    """A row for each segment that was looked at; whether there was one to write."""
    moment = report.verified_at.removesuffix("+00:00")
    rows = [
        {
            "start_position": segment.first_position,
            "end_position": segment.last_position,
            "chain_hash": segment.head_hash,
            "verified_at": moment,
            "verification_result": _words(
                chain.chain, "intact" if segment.verdict == "intact" else "broken"
            ),
        }
        for chain in report.chains
        if chain.chain != "own"
        for segment in _judged(chain)
        if segment.entries
    ]
    if not rows:
        return False
    with open_database(settings.operational, write=False) as database:
        rights = database.rights([TABLE])
    if TABLE in rights.unwritable:
        raise GraceError(f"{TABLE} can't be written", "Grant INSERT on it.")
    with open_database(settings.operational, write=True) as database, database.transaction():
        for row in rows:
            database.add_counted(TABLE, row)
    return True


def _judged(chain: ChainReport) -> list[Any]:
    """The segments; what an anchor shows counts against the first that it names."""
    against = {finding.segment or 1 for finding in chain.findings if finding.severity == "broken"}
    return [
        replace(segment, verdict="tampered") if segment.segment in against else segment
        for segment in chain.segments
    ]


def _record_at_home(settings: Settings, report: VerificationReport) -> None:
    settings.ensure_home()
    path = settings.home / NAME
    records = latest_verifications(settings)
    for chain in report.chains:
        former = records.get(chain.chain, {})
        records[chain.chain] = _facts(report, chain, former)
    _write(path, records)


def _facts(
    report: VerificationReport, chain: ChainReport, former: Mapping[str, Any]
) -> dict[str, Any]:
    """What is kept of one chain; the last place known as intact stays where nothing better is known."""
    same = former.get("url") == report.url or chain.chain == "own"
    known = former.get("known") if same else None
    full_at = former.get("full_at") if same else None
    # While a chain is not the one that was known, what was known stays and is told again, until the file is removed.
    is_other = {"rewritten", "tail cut"}.intersection(chain.counts)
    if chain.verdict == "intact" and chain.entries and not is_other:
        last = chain.segments[0]
        known = {"position": last.last_position, "seal": last.head_hash}
    if chain.verdict != "unverified" and chain.scope == "all":
        full_at = report.verified_at
    broken = [f for f in chain.findings if f.severity == "broken"]
    return {
        "url": report.url,
        "verified_at": report.verified_at,
        "scope": chain.scope,
        "verdict": chain.verdict,
        "entries": chain.entries,
        "findings": sum(chain.counts.values()),
        "first_bad_position": min(
            (f.position for f in broken if f.position is not None), default=None
        ),
        "unproven": chain.unproven,
        "trouble": chain.trouble,
        "full_at": full_at,
        "known": known,
    }


def _write(path: Path, records: Mapping[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(records, indent=2))
    draft.replace(path)
