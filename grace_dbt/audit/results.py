"""What verifying a chain gives: findings, segments, checkpoints and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from grace_dbt.errors import ExitCode

Verdict = Literal["intact", "tampered", "unverified"]
NOWHERE = "nowhere"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a chain, named at the first entry where it shows.

    Attributes:
        chain: `immutable_log`, `audit_logs` or `own`.
        segment: Which part of the chain that begins anew, from 1; None where the entry can't be placed.
        position: Of the entry, or of the first one that is missing; None where it can't be read.
        entry_id: Key of the row; None where the row is missing.
        kind: What was done, e.g. `content edited`; docs/audit.md lists all kinds.
        severity: `broken` spoils the verdict; a `warning` does not.
        expected: What should be there: a hash, a position, a range.
        found: What is there.
    """

    chain: str
    segment: int | None
    position: int | None
    entry_id: str | None
    kind: str
    severity: Literal["broken", "warning"]
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class Segment:
    """A part of a chain from a first entry on; a writer of the audit log that was restarted may begin a new one.

    Attributes:
        chain: As in `Finding`.
        segment: From 1, by the time of the first entry.
        first_position: Of the first entry that is there.
        last_position: Of the last one.
        entries: How many there are.
        head_hash: What seals the last entry.
        verdict: `intact` or `tampered`, by the chain alone.
        first_bad_position: The lowest position of a finding that is `broken`.
    """

    chain: str
    segment: int
    first_position: int | None
    last_position: int | None
    entries: int
    head_hash: str | None
    verdict: Verdict
    first_bad_position: int | None


@dataclass(frozen=True)
class Checkpoint:
    """All of a segment up to a position, in a few values; what an anchor signs.

    Attributes:
        chain: As in `Finding`.
        segment: As it was numbered then; `first_hash` is what tells it.
        first_hash: What seals its first entry.
        position: Of the last entry.
        entries: How many there are up to it.
        head_hash: What seals the last entry.
        merkle_root: Over the rows with all their columns, each unambiguously encoded (docs/audit.md).
        columns: Which ones, in the order of the encoding.
    """

    chain: str
    segment: int
    first_hash: str
    position: int
    entries: int
    head_hash: str
    merkle_root: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class AnchorCheck:
    """One checkpoint of an anchor, held against the chain.

    Attributes:
        anchor: The file.
        key_id: Of the key that signed it.
        created_at: When, ISO 8601 in UTC, by the clock of whoever signed.
        chain: As in `Finding`.
        segment: As the chain numbers it now; None where it is gone.
        position: Up to where it proves the entries.
        holds: Whether the chain has exactly these entries.
    """

    anchor: str
    key_id: str
    created_at: str
    chain: str
    segment: int | None
    position: int
    holds: bool


@dataclass(frozen=True)
class ChainReport:
    """What was found out about one chain.

    Attributes:
        chain: As in `Finding`.
        scope: `all`, or `partial: a..b`.
        verdict: `unverified` where it could not be read.
        entries: How many were verified.
        segments: By number.
        findings: The first ones of each kind, by position.
        counts: How many findings there are of each kind.
        unproven: Entries that no anchor covers, so that nothing speaks against their having been rewritten.
        trouble: Why it could not be verified.
    """

    chain: str
    scope: str
    verdict: Verdict
    entries: int
    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    unproven: int
    trouble: str | None = None


@dataclass(frozen=True)
class VerificationReport:
    """One verification.

    Attributes:
        url: The database, without its password.
        verified_at: When it began to read, ISO 8601 in UTC.
        chains: One report each.
        anchors: Each checkpoint of each anchor that was given.
        recorded: Where the result was written down.
        notes: What else is to be known, e.g. why a check of a part became one of all.
    """

    url: str
    verified_at: str
    chains: tuple[ChainReport, ...]
    anchors: tuple[AnchorCheck, ...]
    recorded: str
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """1 where anything was tampered with, else 3 where anything could not be verified, else 0."""
        verdicts = {chain.verdict for chain in self.chains}
        if "tampered" in verdicts:
            return ExitCode.BAD
        return ExitCode.ENVIRONMENT if "unverified" in verdicts else ExitCode.FINE

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"exit_code": int(self.exit_code)}
