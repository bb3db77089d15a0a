"""The two hash chains of Grace, byte for byte as Grace seals them: every entry holds the hash before it."""

from __future__ import annotations

import json
import re
from hashlib import sha256

ZEROS = "0" * 64  # the previous_hash of the first entry of the immutable log, whose sequence is 1
# Deeper JSON is not read: how deep Python gets depends on who calls. The macro is_shallow says the same.
DEEPEST = 500
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
GENESIS = "genesis"  # the previous_hash of the first entry of an audit log segment, at position 0


def entry_hash(
    sequence: int,
    *,
    actor: str,
    action: str,
    resource: str | None,
    payload: str | None,
    result: str | None,
    previous: str,
) -> str:
    """What seals an entry of the immutable log: 64 hex digits; what is NULL is written as `None`."""
    sealed = f"{sequence}:{actor}:{action}:{resource}:{payload}:{result}:{previous}"
    return sha256(sealed.encode()).hexdigest()


def content_hash(
    entry_id: str | None,
    *,
    category: str | None,
    data: object,
    level: str | None,
    timestamp: str | None,
) -> str:
    """The hash of what an entry of the audit log says, before it is chained: 64 hex digits."""
    content = {
        "category": category,
        "data": data,
        "entry_id": entry_id,
        "timestamp": timestamp,
        "transparency_level": level,
    }
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def chain_hash(content: str, *, previous: str, position: int) -> str:
    """What seals an entry of the audit log at its position: 64 hex digits."""
    return sha256(f"{content}:{previous}:{position}".encode()).hexdigest()


def stored_content_hash(
    entry_id: str | None,
    category: str | None,
    data_json: str | None,
    level: str | None,
    timestamp: str | None,
) -> str | None:
    """`content_hash` of a stored row, as an SQL function; None where its JSON can't be read, or is nested too deep.

    Python decides here what JSON says: how a number is spelled, which of two equal keys counts, how keys are ordered.
    """
    if data_json is None or not _is_shallow(data_json):
        return None
    try:
        data = json.loads(data_json)
        return content_hash(
            entry_id, category=category, data=data, level=level, timestamp=timestamp
        )
    except (ValueError, RecursionError):
        return None


def _is_shallow(text: str) -> bool:
    """Whether a JSON text is nested no deeper than `DEEPEST` levels."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return True
    level = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest <= DEEPEST
