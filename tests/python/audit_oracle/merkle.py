"""The root over whole rows, as an anchor signs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

FAN_OUT = 1024


def encoded(row: Mapping[str, str | None], columns: Sequence[str]) -> str:
    """A row as one text that no other row has: each value stands behind its length in bytes."""
    parts = []
    for name in columns:
        value = row[name]
        parts.append(f"{name}=-;" if value is None else f"{name}={len(value.encode())}:{value};")
    return "".join(parts)


def merkle_root(rows: Sequence[Mapping[str, str | None]], columns: Sequence[str]) -> str:
    """The root over the rows of a segment, which come by position."""
    level = [sha256(b"row:" + encoded(row, columns).encode()).hexdigest() for row in rows]
    while len(level) > 1:
        groups = (level[at : at + FAN_OUT] for at in range(0, len(level), FAN_OUT))
        level = [
            sha256(("node:" + "".join(f"{child}\n" for child in group)).encode()).hexdigest()
            for group in groups
        ]
    return level[0]
