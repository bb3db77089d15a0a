"""Values of a query's answer, as JSON and as text."""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import date, datetime, time
from typing import Any

# Of Unicode's categories: control, format (which can turn the line around), surrogate, unassigned; ends of line.
UNPRINTABLE = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")


def as_json(value: Any) -> Any:
    r"""What stands for a value in JSON, exactly.

    Numbers stay numbers as long as JSON has them. Decimals, times (ISO 8601), NaN and the infinite are text; bytes are
    `\x` and their hex digits, as in landing.
    """
    if isinstance(value, dict):
        return {as_text(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return f"\\x{value.hex()}"
    in_json = value is None or isinstance(value, (bool, int, str))
    if in_json or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def as_text(value: Any, null: str = "") -> str:
    """A value on paper: as in JSON, a text without its quotes, and nested ones as JSON."""
    if value is None:
        return null
    plain = as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def printable(text: str) -> str:
    """A text that does nothing to a terminal: what is no visible character is shown by its escape."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in UNPRINTABLE
        else character
        for character in text
    )
