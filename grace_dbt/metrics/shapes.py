"""Of what a semantic model and a metric are made; anything else is told, and never read.

MetricFlow's words that are not here have no meaning in an answer of ours: `join_to_timespine`, for one, would tell of
days that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

from grace_dbt.metrics.yaml_files import Entry, Items

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
# A letter before the quote gives a text other rules: E'\'' is one of a quote.
_OTHERWISE_QUOTED = re.compile(r"[\w&]$")
# A slice in a condition, as MetricFlow calls it. Jinja is taken for nothing else: what it gives would stand in the SQL
# unseen.
SLICE = re.compile(r"\{\{\s*Dimension\(\s*(['\"])(?P<name>\w+)\1\s*\)\s*\}\}")
# A subquery or a window reads rows that no clearance is asked for, as do functions that run SQL or read files; a
# comment or a semicolon cuts off what we add, `$` marks values.
_NO_EXPRESSION = re.compile(
    r"""['";${}]|--|/\*|\b(?:select|from|over|qualify|query|query_table)\b"""
    r"|\b(?:(?:query|table|cursor|schema|database)_to_xml\w*|dblink\w*|pg_(?:read|ls|stat)_\w+|lo_\w+)\s*\("
    r"|\(\s*(?:with|table|values|describe|desc|summarize|show|pivot|unpivot|call)\b",
    re.IGNORECASE,
)
# Where `from` reads no table.
_OTHER_FROM = re.compile(r"\bdistinct\s+from\b|\bextract\s*\(\s*\w+\s+from\b", re.IGNORECASE)
_LONGEST_SHOWN = 60


class Mistake(NamedTuple):
    """A value that has no place where it stands.

    Attributes:
        line: Where; None for values that come from no file.
        message: What is wrong with it.
    """

    line: int | None
    message: str


class Shape(Protocol):
    """A kind of value."""

    @property
    def told(self) -> str:
        """The kind in words."""

    def takes(self, value: Any) -> bool:
        """Whether a value is of this kind; what is in it is another question."""

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """What is wrong in a value of this kind."""


@dataclass(frozen=True)
class Scalar:
    """A single value."""

    told: str
    kinds: tuple[type, ...]

    def takes(self, value: Any) -> bool:
        """As `Shape` says."""
        return isinstance(value, self.kinds) and not isinstance(value, bool)

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        yield from ()


@dataclass(frozen=True)
class Expression(Scalar):
    """SQL over the columns of one row: it stays between the brackets that are put around it."""

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        if not is_one_expression(str(value)):
            yield Mistake(
                line,
                f"'{key}' is one expression over the columns of a row: its quotes and brackets are closed, and it has"
                " no subquery, window, comment, `;`, `$`, or Jinja but {{ Dimension('...') }}.",
            )


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind."""

    item: Shape

    @property
    def told(self) -> str:
        """As `Shape` says."""
        return f"a list, each of it {self.item.told}"

    def takes(self, value: Any) -> bool:
        """As `Shape` says."""
        return isinstance(value, list)

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        lines: list[int | None] = [line] * len(value)
        if isinstance(value, Items):
            lines = [*value.lines]
        for each, at in zip(value, lines, strict=True):
            yield from mistakes(self.item, each, key, at, told=self.told)


@dataclass(frozen=True)
class Names:
    """A mapping of names that are free to choose."""

    value: Shape
    told: str = "a mapping"

    def takes(self, value: Any) -> bool:
        """As `Shape` says."""
        return isinstance(value, Mapping)

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        for name, each in value.items():
            yield from mistakes(self.value, each, name, _line_of(value, name, line))


@dataclass(frozen=True)
class Record:
    """A mapping of words that have a meaning.

    Attributes:
        words: What stands under each.
        needs: Those that must be there.
        is_open: Whether others may stand beside them.
    """

    words: Mapping[str, Shape] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    is_open: bool = False
    told: str = "a mapping"

    def takes(self, value: Any) -> bool:
        """As `Shape` says."""
        return isinstance(value, Mapping)

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        for word, each in value.items():
            at = _line_of(value, word, line)
            if word in self.words:
                if each is not None:
                    yield from mistakes(self.words[word], each, word, at)
            elif not self.is_open:
                yield Mistake(at, f"'{word}' is not known here.{suggestion(word, self.words)}")
        for word in self.needs:
            if value.get(word) in (None, "", []):
                yield Mistake(_line_of(value, word, line), f"'{word}' is missing in '{key}'.")


@dataclass(frozen=True)
class Either:
    """One of two kinds."""

    first: Shape
    second: Shape

    @property
    def told(self) -> str:
        """As `Shape` says."""
        return f"{self.first.told}, or {self.second.told}"

    def takes(self, value: Any) -> bool:
        """As `Shape` says."""
        return self.first.takes(value) or self.second.takes(value)

    def within(self, value: Any, key: str, line: int | None) -> Iterator[Mistake]:
        """As `Shape` says."""
        chosen = self.first if self.first.takes(value) else self.second
        yield from chosen.within(value, key, line)


def mistakes(
    shape: Shape, value: Any, key: str, line: int | None, *, told: str = ""
) -> Iterator[Mistake]:
    """What is wrong with a value, and with all that is in it.

    Args:
        shape: What it should be.
        value: What it is.
        key: The word under which it stands.
        line: Where it stands.
        told: What to call what it should be; default: as the shape calls itself.
    """
    if shape.takes(value):
        yield from shape.within(value, key, line)
    else:
        yield Mistake(line, f"'{key}' is {told or shape.told}, not {shown(value)}.")


def shown(value: Any) -> str:
    """A value in a message, however large it is."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def suggestion(word: Any, known: Iterable[str]) -> str:
    """The one that may have been meant, as the end of a message."""
    close = get_close_matches(str(word)[:100], list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def is_one_expression(sql: str) -> bool:
    """Whether SQL may stand between brackets and have no meaning beyond them."""
    sql = SLICE.sub("x", sql)
    if any(_OTHERWISE_QUOTED.search(sql[: text.start()]) for text in _QUOTED.finditer(sql)):
        return False
    plain = _QUOTED.sub("", sql)
    if _NO_EXPRESSION.search(_OTHER_FROM.sub("(", plain)):
        return False
    depth = 0
    for sign in plain:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0


def _line_of(value: Any, word: Any, line: int | None) -> int | None:
    """Where a word of a mapping stands; the mapping itself where it does not have the word."""
    return value.lines.get(word, value.line) if isinstance(value, Entry) else line


TEXT = Scalar("a text", (str,))
NUMBER = Scalar("a number", (int, float))
EXPRESSION = Expression("an expression", (str, int, float))
CONDITION = Expression("a text", (str,))
FILTER = Either(CONDITION, ListOf(CONDITION))

_SHOWN = {"name": TEXT, "label": TEXT, "description": TEXT}
_ENTITY = Record({**_SHOWN, "type": TEXT, "expr": EXPRESSION})
_DIMENSION = Record(
    {**_SHOWN, "type": TEXT, "expr": EXPRESSION, "type_params": Record({"time_granularity": TEXT})}
)
_NON_ADDITIVE = Record(
    {"name": TEXT, "window_choice": TEXT, "window_groupings": ListOf(TEXT)}, needs=("name",)
)
_MEASURE = Record({
    **_SHOWN, "agg": TEXT, "expr": EXPRESSION, "agg_time_dimension": TEXT, "non_additive_dimension": _NON_ADDITIVE,
    "agg_params": Record({"percentile": NUMBER}),
})  # fmt: skip
_AVERAGE = Record({"sum": EXPRESSION, "count": EXPRESSION}, needs=("sum", "count"))
_ROLLUP = Record(
    {
        "table": TEXT, "grain": TEXT, "slices": Names(CONDITION),
        "measures": Names(Either(CONDITION, _AVERAGE)),
    },
    needs=("table", "grain", "measures"),
)  # fmt: skip
MODEL = Record({
    **_SHOWN, "model": TEXT, "primary_entity": TEXT, "defaults": Record({"agg_time_dimension": TEXT}),
    "config": Record({"meta": Record({"rollups": ListOf(_ROLLUP)}, is_open=True)}, is_open=True),
    "entities": ListOf(_ENTITY), "dimensions": ListOf(_DIMENSION), "measures": ListOf(_MEASURE),
    "declared_in": TEXT,
})  # fmt: skip

_INPUT = Either(
    TEXT,
    Record(
        {"name": TEXT, "filter": FILTER, "alias": TEXT, "offset_window": TEXT, "offset_to_grain": TEXT},
        needs=("name",),
    ),
)  # fmt: skip
_MEASURED = Either(
    TEXT,
    Record({"name": TEXT, "filter": FILTER, "alias": TEXT}, needs=("name",)),
)
_SPAN = {"window": TEXT, "grain_to_date": TEXT}
# What a metric of each type is computed from.
PARAMETERS = {
    "simple": Record({"measure": _MEASURED}, needs=("measure",)),
    "ratio": Record({"numerator": _INPUT, "denominator": _INPUT}, needs=("numerator", "denominator")),
    "derived": Record({"expr": CONDITION, "metrics": ListOf(_INPUT)}, needs=("expr", "metrics")),
    "cumulative": Record(
        {"measure": _MEASURED, **_SPAN, "cumulative_type_params": Record({**_SPAN, "period_agg": TEXT})},
        needs=("measure",),
    ),
}  # fmt: skip
METRIC = Record({
    **_SHOWN, "type": TEXT, "type_params": Record(is_open=True), "filter": FILTER, "declared_in": TEXT,
    "config": Record({"meta": Record(is_open=True)}, is_open=True),
})  # fmt: skip
