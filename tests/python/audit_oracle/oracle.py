"""Reads all rows of a chain and says what is wrong with them, one plain rule after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from audit_oracle.writer import (
    AUDIT,
    FIRST,
    KEY,
    LOG,
    ORIGIN,
    POSITION,
    SEAL,
    Row,
    audit_hash,
    content_hash,
    log_hash,
)

Finding = tuple[str, int | None]


@dataclass(frozen=True)
class Wrong:
    """Something that is wrong at a position.

    Attributes:
        position: None where it can't be read.
        kinds: What it may be called, where the rows do not tell which it was.
        certain: Else it only follows from something else, and need not be told.
    """

    position: int | None
    kinds: frozenset[str]
    certain: bool = True


@dataclass(frozen=True)
class Part:
    """A segment: its first and last position, how many entries, and what seals the last."""

    first: int
    last: int
    entries: int
    head: str


@dataclass
class Reading:
    """What a chain is found to be."""

    wrong: list[Wrong] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    @property
    def first(self) -> int | None:
        """The lowest position where something is wrong for certain."""
        places = [at.position for at in self.wrong if at.certain and at.position is not None]
        return min(places, default=None)

    def objections(self, findings: Iterable[Finding]) -> list[str]:
        """What speaks against findings of somebody else; nothing where they are right and complete."""
        told = list(findings)
        false = [
            f"{kind} at {position} is not so"
            for kind, position in told
            if not any(at.position == position and kind in at.kinds for at in self.wrong)
        ]
        missed = [
            f"nothing is said of {sorted(at.kinds)} at {at.position}"
            for at in self.wrong
            if at.certain
            and not any(at.position == position and kind in at.kinds for kind, position in told)
        ]
        return false + missed


def verify(table: str, rows: Sequence[Row]) -> Reading:
    """Verify all rows of a table."""
    reading = Reading()
    placed = []
    for row in rows:
        position = row[POSITION[table]]
        if isinstance(position, int) and position >= FIRST[table]:
            placed.append(row)
        else:
            reading.wrong.append(Wrong(position, frozenset({"unreadable entry", "reordered"})))
    for part in [placed] if table == LOG else _segments(placed):
        if part:
            _verify_part(table, part, reading)
    return reading


def _segments(rows: Sequence[Row]) -> list[list[Row]]:
    """Tell apart what was written between two starts of the writer.

    An entry belongs where its predecessor is. One without predecessor goes to the longest of the segments that had
    begun by then, and begins one itself where there is none.
    """
    order = itemgetter("chain_position", "timestamp", "entry_id")
    segments: list[list[Row]] = []
    for row in sorted(rows, key=order):
        before = row["chain_position"] - 1
        if before < 0:
            segments.append([row])
            continue
        linked = [
            part
            for part in segments
            if any(
                other["chain_position"] == before
                and row["previous_hash"] in (other["chain_hash"], audit_hash(other))
                for other in part
            )
        ]
        begun = [part for part in segments if part[0]["timestamp"] <= row["timestamp"]]
        begun.sort(key=lambda part: part[-1]["chain_position"])
        if linked or begun:
            (linked or begun[-1:])[0].append(row)
        else:
            segments.append([row])
    return sorted(segments, key=lambda part: str(part[0]["timestamp"]))


def _verify_part(table: str, rows: Sequence[Row], reading: Reading) -> None:
    places: dict[int, list[Row]] = {}
    for row in sorted(rows, key=itemgetter(KEY[table])):
        places.setdefault(row[POSITION[table]], []).append(row)
    last = max(places)
    reading.parts.append(Part(min(places), last, len(rows), str(places[last][-1][SEAL[table]])))
    for position in sorted({*places, *(here + 1 for here in places), FIRST[table]}):
        if position not in places and position < last:
            kinds = {"gap", *_if(position == FIRST[table], "genesis wrong")}
            # What was moved far off leaves the gap where it was, not where it is.
            beyond = places[min(there for there in places if there > position)]
            certain = any(_belongs_to(table, row) is None for row in beyond)
            reading.wrong.append(Wrong(position, frozenset(kinds), certain))
    for position, here in sorted(places.items()):
        if len(here) > 1:
            kinds = {"duplicate position", "forked"}
            if not all(_whole(table, row) for row in here):
                kinds |= {"content edited", "hash edited", "link broken", "reordered"}
            reading.wrong.append(Wrong(position, frozenset(kinds)))
        for row in here:
            found = _judge(table, row, places)
            if found:
                certain = found.certain and len(here) == 1
                reading.wrong.append(Wrong(position, found.kinds, certain))


def _judge(table: str, row: Row, places: dict[int, list[Row]]) -> Wrong | None:
    """What is wrong with an entry, seen beside its neighbours."""
    position: int = row[POSITION[table]]
    before, after = places.get(position - 1, []), places.get(position + 1, [])
    first = position == FIRST[table]
    unlinked = {"genesis wrong", "link broken"} if first else {"link broken"}
    sealed_before = [ORIGIN[table]] if first else [other[SEAL[table]] for other in before]
    linked = row["previous_hash"] in sealed_before
    own = _seal(table, row)

    if table == AUDIT and not _says(row):
        return Wrong(position, _of_content(row, own))
    if own != row[SEAL[table]]:
        return Wrong(position, _of_seal(table, row, after, set() if linked else unlinked))
    if linked:
        return None
    # The fault lies with the entry before where that one is missing, misplaced, or has another seal than it should.
    blameless = bool(before) and all(_belongs_to(table, other) is None for other in before)
    undone = any(row["previous_hash"] == _seal(table, other) for other in before)
    headless = not before and not first
    kinds = {*unlinked, *_if(headless, "genesis wrong")}
    return Wrong(position, frozenset(kinds), certain=first or (blameless and not undone))


def _of_seal(table: str, row: Row, after: Sequence[Row], unlinked: set[str]) -> frozenset[str]:
    """What may have been done to an entry whose seal is not that of what it holds."""
    if any(other["previous_hash"] == _seal(table, row) for other in after):
        return frozenset({"hash edited"})
    if _belongs_to(table, row) is not None:
        return frozenset({"reordered"})
    if unlinked:
        return frozenset({*unlinked, "content edited", "hash edited"})
    vouched = any(other["previous_hash"] == row[SEAL[table]] for other in after)
    if table == AUDIT:
        return frozenset({"hash edited", *_if(vouched, "content edited")})
    return frozenset({"content edited", *_if(not vouched, "hash edited")})


def _of_content(row: Row, own: str) -> frozenset[str]:
    """What may have been done to an entry of the audit log whose hash is not that of its content."""
    try:
        hashed = content_hash(row)
    except (ValueError, TypeError, RecursionError):
        return frozenset({"unreadable entry", "content edited"})
    if own == row["chain_hash"]:
        return frozenset({"content edited"})
    if audit_hash({**row, "hash": hashed}) == row["chain_hash"]:
        return frozenset({"hash edited"})
    return frozenset({"content edited", "hash edited"})


def _says(row: Row) -> bool:
    try:
        return content_hash(row) == str(row["hash"])
    except (ValueError, TypeError, RecursionError):
        return False


def _seal(table: str, row: Row) -> str:
    return log_hash(row) if table == LOG else audit_hash(row)


def _whole(table: str, row: Row) -> bool:
    said = table == LOG or _says(row)
    return said and _seal(table, row) == row[SEAL[table]]


def _belongs_to(table: str, row: Row) -> int | None:
    """The other position at which an entry would be sealed rightly."""
    name = POSITION[table]
    if table == AUDIT and not _says(row):
        return None
    tried = (place for place in range(FIRST[table], 2000) if place != row[name])
    return next(
        (place for place in tried if _seal(table, {**row, name: place}) == row[SEAL[table]]), None
    )


def _if(so: bool, kind: str) -> tuple[str, ...]:
    return (kind,) if so else ()
