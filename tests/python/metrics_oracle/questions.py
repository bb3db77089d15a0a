"""What is asked: of which metrics, cut by what, over which window, by which periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from metrics_oracle.meanings import Meaning
from metrics_oracle.of_error import METRICS as OF_ERROR
from metrics_oracle.of_execution import METRICS as OF_EXECUTION
from metrics_oracle.of_governance import METRICS as OF_GOVERNANCE
from metrics_oracle.of_kernels import METRICS as OF_KERNELS
from metrics_oracle.of_shard import METRICS as OF_SHARD
from metrics_oracle.of_verification import METRICS as OF_VERIFICATION
from metrics_oracle.periods import Span

# Every metric by hand. Those of a new component come from a module of its own.
METRICS: dict[str, Meaning] = {
    **OF_VERIFICATION,
    **OF_ERROR,
    **OF_EXECUTION,
    **OF_GOVERNANCE,
    **OF_SHARD,
    **OF_KERNELS,
}


@dataclass(frozen=True)
class Condition:
    """What is left in of a slice: these values, or all others; None is what is not known."""

    word: str
    values: tuple[Any, ...]
    is_negated: bool = False

    def admits(self, value: Any) -> bool:
        """Whether a value is left in."""
        return (_text(value) in map(_text, self.values)) is not self.is_negated


@dataclass(frozen=True)
class Question:
    """One question, in the words of those who ask.

    Attributes:
        metrics: Their names.
        window: `since`, `until`, `days` and `hours`, as far as they are named.
        by: Words of slices.
        grain: Length of the periods.
        where: What is left in.
        compare: Whether the window before stands beside it.
    """

    metrics: tuple[str, ...]
    window: tuple[tuple[str, Any], ...] = ()
    by: tuple[str, ...] = ()
    grain: str | None = None
    where: tuple[Condition, ...] = ()
    compare: bool = False

    @property
    def told_by(self) -> str | None:
        """The length of the periods that it is answered by: what looks back is told by the day at least."""
        return self.grain or ("day" if any(METRICS[name].span for name in self.metrics) else None)

    def span(self, as_of: datetime) -> Span:
        """From when to when."""
        named = dict(self.window)
        since, until = named.get("since"), named.get("until")
        length = timedelta(days=named.get("days", 0), hours=named.get("hours", 0))
        if until is None and (since or length):
            until = as_of
        return Span(until - length if until and length else since, until)

    def arguments(self) -> dict[str, Any]:
        """As a caller in Python writes it."""
        where = {f"{c.word}!" if c.is_negated else c.word: list(c.values) for c in self.where}
        return {
            "metrics": list(self.metrics),
            "by": list(self.by),
            "where": where,
            "grain": self.grain,
            "compare": "previous" if self.compare else None,
            **dict(self.window),
        }

    def options(self) -> list[str]:
        """As one types it."""
        words = [*self.metrics]
        for word in self.by:
            words += ["--by", word]
        for condition in self.where:
            sign = "!=" if condition.is_negated else "="
            for value in condition.values:
                words += ["--where", f"{condition.word}{sign}{_text(value) or ''}"]
        for name, value in self.window:
            option = {"since": "--from", "until": "--to"}.get(name, f"--{name}")
            words += [option, value.isoformat() if isinstance(value, datetime) else str(value)]
        words += ["--grain", self.grain] if self.grain else []
        return [*words, "--compare", "previous"] if self.compare else words

    def __str__(self) -> str:
        return f"metrics query {' '.join(self.options())}"


def common_slices(names: Iterable[str]) -> list[str]:
    """The words that all of these metrics can be cut by."""
    return sorted(frozenset.intersection(*(METRICS[name].slices for name in names)))


def _text(value: Any) -> str | None:
    """A value as one writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
