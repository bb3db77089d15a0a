"""What each attack must be called, by the chain alone and with an anchor that was taken before it.

Written down by hand, beside what the oracle finds.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit_oracle.writer import AUDIT, LOG

# How many entries each segment has that is attacked. The second one of the audit log is the shorter one.
SIZES = {LOG: (12,), AUDIT: (9, 3)}
MIDDLE = {LOG: 7, AUDIT: 4}


@dataclass(frozen=True)
class Expected:
    """What is found.

    Attributes:
        alone: Kind and position of the first finding by the chain alone; None where nothing can be found.
        anchored: The kinds that an anchor shows; empty where the entries that it covers are untouched.
    """

    alone: tuple[str, int | None] | None
    anchored: frozenset[str]


def _expected(kind: str | None, position: int | None, *anchored: str) -> Expected:
    return Expected((kind, position) if kind else None, frozenset(anchored))


_CONTENT = ("content differs",)
_REWRITTEN = ("rewritten",)
_GONE = ("segment missing",)


def _of_both(table: str) -> dict[str, Expected]:
    first, middle = (1, MIDDLE[LOG]) if table == LOG else (0, MIDDLE[AUDIT])
    # A log has one segment, whose beginning is another one then; which segment of several that was is not known.
    replaced = "rewritten" if table == LOG else "segment missing"
    last = first + SIZES[table][0] - 1
    # What an audit entry is timed at is under its seal, what a log entry is timed at is not.
    timed = ("content edited", middle) if table == AUDIT else (None, None)
    return {
        "edit previous_hash": _expected("link broken", middle, *_CONTENT),
        "edit timestamp": _expected(*timed, *_CONTENT),
        "edit the first entry": _expected("content edited", first, *_CONTENT),
        "edit the last entry": _expected("content edited", last, *_CONTENT),
        "edit two entries": _expected("content edited", middle, *_CONTENT),
        "edit the origin": _expected("genesis wrong", first, *_CONTENT),
        "edit the case of a seal": _expected("hash edited", middle, *_CONTENT),
        "delete the head": _expected("gap", first, replaced),
        "delete in the middle": _expected("gap", middle, *_CONTENT),
        "delete two in the middle": _expected("gap", middle, *_CONTENT),
        "delete the tail": _expected(None, None, "tail cut"),
        "delete everything": _expected(None, None, *_GONE),
        "forge a tail": _expected("content edited" if table == LOG else "hash edited", last + 1),
        "forge an unlinked tail": _expected("link broken", last + 1),
        "forge an entry further on": _expected("gap", last + 1),
        "swap two": _expected("reordered", middle, *_CONTENT),
        "swap neighbours": _expected("reordered", middle, *_CONTENT),
        "duplicate": _expected("duplicate position", middle, *_CONTENT),
        "fork": _expected("forked", middle, *_CONTENT),
        "rewrite from the middle": _expected(None, None, *_REWRITTEN),
        "reseal one entry": _expected("link broken", middle + 1, *_CONTENT),
        "reseal the last entry": _expected(None, None, *_REWRITTEN),
        "replace the chain": _expected(None, None, replaced),
        "seal from another origin": _expected("genesis wrong", first, replaced),
    }


EXPECTED: dict[str, dict[str, Expected]] = {
    LOG: {
        "edit sequence": _expected("gap", MIDDLE[LOG], *_CONTENT),
        **{
            f"edit {name}": _expected("content edited", MIDDLE[LOG], *_CONTENT)
            for name in ("actor", "action", "resource", "payload", "result")
        },
        "edit entry_hash": _expected("hash edited", MIDDLE[LOG], *_CONTENT),
        "edit subsystem": _expected(None, None, *_CONTENT),
        "append a blank": _expected("content edited", MIDDLE[LOG], *_CONTENT),
        "empty the resource": _expected("content edited", MIDDLE[LOG], *_CONTENT),
        **_of_both(LOG),
        "move a border": _expected(None, None, *_CONTENT),
        "say None for NULL": _expected(None, None, *_CONTENT),
    },
    AUDIT: {
        **{
            f"edit {name}": _expected("content edited", MIDDLE[AUDIT], *_CONTENT)
            for name in ("entry_id", "category", "data_json", "transparency_level")
        },
        "edit hash": _expected("hash edited", MIDDLE[AUDIT], *_CONTENT),
        "edit chain_hash": _expected("hash edited", MIDDLE[AUDIT], *_CONTENT),
        "edit chain_position": _expected("gap", MIDDLE[AUDIT], *_CONTENT),
        "edit verified": _expected(None, None, *_CONTENT),
        "append a blank": _expected("content edited", MIDDLE[AUDIT], *_CONTENT),
        "empty the position": _expected("gap", MIDDLE[AUDIT], *_CONTENT),
        **_of_both(AUDIT),
        # Another text for the same content: sealed the same, and yet not the row that the anchor has seen.
        "reformat the JSON": _expected(None, None, *_CONTENT),
        "break the JSON": _expected("unreadable entry", MIDDLE[AUDIT], *_CONTENT),
        "delete a segment": _expected(None, None, *_GONE),
        # Nobody but the writer knows when it was restarted: that is a warning.
        "forge a segment": _expected(None, None),
    },
}
