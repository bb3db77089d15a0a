"""SQL functions that SQLite lacks and the models need, for connections that dbt-sqlite opens.

The macros of the other engines have them built in; each body here answers as DuckDB does.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta

from grace_dbt.audit.formats import stored_content_hash

_HEX_OF_BYTES = re.compile(r"\\x(?:[0-9A-F]{2})+", re.ASCII)
Value = str | int | float | bytes | None
LARGEST_REAL = 1e100

# What DuckDB reads as timestamp with time zone, kept to what Grace writes: ISO 8601 with a blank or a T.
_TIMESTAMP = re.compile(
    r"\s*(\d{4})-(\d{2})-(\d{2})"
    r"(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"(?:\s?(Z|z|[+-]\d{2}(?::?\d{2})?))?\s*",
    re.ASCII,
)
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def _text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def md5_hex(value: Value) -> str | None:
    """MD5 of a text, 32 lower-case hex digits; NULL for NULL."""
    if value is None:
        return None
    return hashlib.md5(_text(value).encode(), usedforsecurity=False).hexdigest()


def sha256_hex(value: Value) -> str | None:
    """SHA-256 of a text, 64 lower-case hex digits; NULL for NULL."""
    return None if value is None else hashlib.sha256(_text(value).encode()).hexdigest()


def hash_key(value: Value) -> int | None:
    """The first 60 bits of the MD5 of a text: a surrogate key that every engine can compute."""
    return None if value is None else int(str(md5_hex(value))[:15], 16)


def utc_timestamp(value: Value) -> str | None:
    """A timestamp text as `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; NULL where it can't be read. Naive means UTC."""
    match = None if value is None else _TIMESTAMP.fullmatch(_text(value))
    if match is None:
        return None
    year, month, day, hour, minute, second = (
        int(part or 0) for part in match.group(1, 2, 3, 4, 5, 6)
    )
    microsecond = int((match[7] or "0").ljust(6, "0")[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, microsecond, UTC)
        moment -= _offset(match[8])
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -size if zone[0] == "-" else size


def epoch_microseconds(value: Value) -> int | None:
    """Microseconds since 1970 of a text that `utc_timestamp` wrote."""
    if value is None:
        return None
    moment = datetime.fromisoformat(_text(value)).replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def try_real(value: Value) -> float | None:
    """A number of at most 1e100, or NULL."""
    if value is None or not _NUMBER.fullmatch(_text(value)):
        return None
    number = float(_text(value))
    return number if abs(number) <= LARGEST_REAL else None


def try_integer(value: Value) -> int | None:
    """A whole number of at most 18 digits, or NULL; '1.5' is not rounded."""
    if value is None or not _INTEGER.fullmatch(_text(value)):
        return None
    return int(_text(value))


def mask_text(value: Value) -> str | None:
    """The shape of a text: letters as x, digits as 9, at most 64 characters."""
    if value is None:
        return None
    return re.sub(r"[0-9]", "9", re.sub(r"[^\W\d_]", "x", _text(value)))[:64]


def clean_text(value: Value) -> str | None:
    r"""The text that bytes stand for; \x and their hex digits where they are not UTF-8."""
    if not isinstance(value, bytes):
        return None if value is None else str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "\\x" + value.hex().upper()


def is_hex_of_bytes(value: Value) -> bool:
    """Whether a text is what `clean_text` makes of bytes that are no text."""
    return value is not None and _HEX_OF_BYTES.fullmatch(_text(value)) is not None


def character_count(value: Value) -> int | None:
    """Characters of a text, those behind a NUL too."""
    return None if value is None else len(_text(value))


def has_half_characters(value: Value) -> bool:
    """Whether a JSON text escapes half a surrogate pair: SQLite would decode it to bytes that are no text."""
    text = "" if value is None else _text(value)
    if "\\ud" not in text.lower():
        return False
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        pass
    return False


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions, enforced foreign keys and a wait for other writers (60 s)."""
    for name, function in (
        ("md5", md5_hex),
        ("sha256", sha256_hex),
        ("hash_key", hash_key),
        ("utc_timestamp", utc_timestamp),
        ("epoch_us", epoch_microseconds),
        ("try_real", try_real),
        ("try_integer", try_integer),
        ("mask_text", mask_text),
        ("clean_text", clean_text),
        ("is_hex_of_bytes", is_hex_of_bytes),
        ("character_count", character_count),
        ("has_half_characters", has_half_characters),
    ):
        connection.create_function(name, 1, function, deterministic=True)
    connection.create_function(
        stored_content_hash.__name__, 5, stored_content_hash, deterministic=True
    )
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma busy_timeout = 60000")
