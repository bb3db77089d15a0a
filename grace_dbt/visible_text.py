"""Values of foreign origin, as they may stand on a page or a terminal."""

from __future__ import annotations

_LONGEST = 300  # characters


def shown(value: object) -> str:
    """A value of foreign origin as it may be shown: what can't be seen, or turns text around, is spelled out."""
    text = str(value)
    visible = "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode()
        for mark in text[:_LONGEST]
    )
    return f"{visible}\u2026 ({len(text):,} characters)" if len(text) > _LONGEST else visible
