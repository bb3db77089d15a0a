"""Single stored values: what their text means, and what it does not."""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

EARLIEST = datetime(2015, 1, 1)
SKEW = timedelta(days=1)
BEGINNING = datetime(1900, 1, 1)
UNKNOWN = -1
LARGEST = 1e100
SECOND = timedelta(seconds=1)

_MOMENT = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"(?: ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?))?\s*",
    re.ASCII,
)
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def stored(value: Any) -> str | None:
    """The text of a stored value of any storage class."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return "\\x" + value.hex().upper()
    return None if value is None else str(value)


def word(text: str | None) -> str | None:
    """A text without the spaces around it; blank is nothing."""
    return None if text is None else text.strip(" ") or None


def person(text: str | None) -> str | None:
    """A text from a column that names people: a bare name is a user's, and the word unknown nobody's."""
    name = word(text)
    if name is None or name == "unknown":
        return None
    return name if ":" in name else f"user:{name}"


def instant(text: str | None) -> datetime | None:
    """A time as naive UTC; a time without a zone is UTC."""
    match = None if text is None else _MOMENT.fullmatch(text)
    if match is None:
        return None
    day, clock, second, fraction, _, sign, hours, minutes = match.groups()
    try:
        read = datetime.fromisoformat(f"{day} {clock or '00:00'}:{second or '00'}")
        read = read.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
        shift = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return read + shift if sign == "-" else read - shift
    except (ValueError, OverflowError):
        return None


def is_accepted(moment: datetime, clock: datetime) -> bool:
    """Whether some Grace could have written a time, as the run that began at `clock` sees it."""
    return EARLIEST <= moment <= clock + SKEW


def number(text: str | None) -> float | None:
    """A number that can be added up."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    read = float(text)
    return read if abs(read) <= LARGEST else None


def integer(text: str | None) -> int | None:
    """A whole number of at most 18 digits."""
    return int(text) if text is not None and _INTEGER.fullmatch(text) else None


def count(number: int | None) -> int | None:
    """A whole number of at most 15 digits, which can be added up."""
    return number if number is not None and abs(number) < 10**15 else None


def truth(text: str | None) -> bool | None:
    """A boolean as drivers store it."""
    found = "" if text is None else text.strip(" ").lower()
    return True if found in ("1", "true", "t") else False if found in ("0", "false", "f") else None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")


def document(text: str | None) -> tuple[bool, Any]:
    """Whether a text is JSON, and what it says."""
    try:
        found = json.loads(text or "", parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return True, found
    except (ValueError, RecursionError):
        return False, None


def member(text: str | None, key: str) -> str | None:
    """A top-level member of a JSON object as text."""
    _, found = document(text)
    value = found.get(key) if isinstance(found, dict) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def largest(text: str | None) -> float | None:
    """The largest absolute number among the top-level members of a JSON object."""
    _, found = document(text)
    values = found.values() if isinstance(found, dict) else ()
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return max((size for v in numbers if (size := abs(float(v))) <= LARGEST), default=None)


def length(text: str | None) -> int | None:
    """How many elements a JSON array has."""
    _, found = document(text)
    return len(found) if isinstance(found, list) else None


def seconds(first: datetime | None, last: datetime | None) -> float | None:
    """From one moment to another; negative where the clocks disagree."""
    return None if first is None or last is None else (last - first) / SECOND


def surrogate(*parts: str) -> int:
    """The key over natural ids: 60 bits of the MD5 of their lengths and texts."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def stamp(moment: datetime) -> str:
    """A moment as version keys spell it."""
    return moment.isoformat(sep=" ", timespec="microseconds")


def minute_key(moment: datetime | None) -> int:
    """The minute of a moment in dim_time."""
    return UNKNOWN if moment is None else int(moment.strftime("%Y%m%d%H%M"))


def as_number(text: str) -> tuple[float, str]:
    """What ids that are numbers are ordered by."""
    read = integer(text)
    return (math.inf if read is None else read, text)


def utc_now() -> datetime:
    """This moment, as the cube writes times."""
    return datetime.now(UTC).replace(tzinfo=None)
