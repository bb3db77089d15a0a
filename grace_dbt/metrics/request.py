"""What somebody asks of metrics, brought into one form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import Catalogue, Metric
from grace_dbt.metrics.columns import Column, columns_of
from grace_dbt.metrics.periods import GRAINS, Grain, Window
from grace_dbt.moments import moment

Moment = str | datetime | date
Where = Mapping[str, Any] | Iterable[str]
# Letters in front of `=`: the word of a slice, and `!` for all others.
_CONDITION = re.compile(r"\s*([^=!\s]+)\s*(!?)=(.*)", re.DOTALL)
# Where nothing else is said, no answer is longer: what is asked for by mistake ends in words, not in swapping.
MOST_ROWS = 1_000_000


@dataclass(frozen=True, order=True)
class Filter:
    """One condition on a slice.

    Attributes:
        word: The slice.
        values: Those that are wanted; None is one that is not known.
        negated: Whether all others are wanted instead.
    """

    word: str
    values: tuple[str | None, ...]
    negated: bool = False


@dataclass(frozen=True)
class Request:
    """A question that can be answered: its words are known, and what is not allowed is not in it.

    Attributes:
        metrics: What is asked for.
        by: Words of the slices that the answer is cut by.
        filters: What is left in; all of them hold.
        window: From when to when.
        grain: Length of the periods that it is told for; None for one value over the whole window.
        compare: Whether the window before is told beside it.
        clearance: Of who asks.
        order_by: Column that the rows are in order of; None for period, then slices.
        descending: Whether the largest comes first.
        limit: How many rows at most.
    """

    metrics: tuple[Metric, ...]
    by: tuple[str, ...]
    filters: tuple[Filter, ...]
    window: Window
    grain: Grain | None
    compare: bool
    clearance: str
    order_by: str | None = None
    descending: bool = False
    limit: int = MOST_ROWS

    @property
    def columns(self) -> tuple[Column, ...]:
        """What each row of the answer has, in order."""
        return columns_of(
            self.metrics, self.by, periods=self.grain is not None, compare=self.compare
        )

    def over(self, window: Window) -> Request:
        """The same question of another window."""
        return replace(self, window=window)


@dataclass(frozen=True)
class Question:
    """What somebody asks, as it was written; `grace_dbt.metrics.query` says what each part means.

    Attributes:
        metrics: Names.
        by: Words of slices.
        where: Conditions on slices.
        since: Beginning of the window.
        until: End of the window.
        days: Length of the window.
        hours: Length of the window.
        grain: Length of a period.
        compare: `previous`, or nothing.
        clearance: Tier of who asks; None is the highest.
        order_by: Column.
        descending: The largest first.
        limit: How many rows at most.
    """

    metrics: str | Sequence[str]
    by: str | Sequence[str] = ()
    where: Where = ()
    since: Moment | None = None
    until: Moment | None = None
    days: int | None = None
    hours: int | None = None
    grain: Grain | None = None
    compare: Literal["previous"] | None = None
    clearance: str | None = None
    order_by: str | None = None
    descending: bool = False
    limit: int | None = None


def request_of(catalogue: Catalogue, as_of: datetime, question: Question) -> Request:
    """Bring a question into one form.

    Args:
        catalogue: The metrics that there are.
        as_of: The moment of the snapshot, UTC.
        question: What is asked.

    Raises:
        GraceError: The question has no answer; exit code 2.
    """
    clearance, grain, compare = question.clearance, question.grain, question.compare
    names = _texts(question.metrics, "metric")
    if not names:
        raise _wrong("No metric is named.", "Run: grace-dbt metrics list")
    asked = tuple(catalogue.metric(name, clearance) for name in names)
    words = tuple(_texts(question.by, "slice"))
    filters = _filters(question.where)
    for metric in asked:
        for word in (*words, *(each.word for each in filters)):
            catalogue.slice_of(metric, word)
    if grain is not None and grain not in GRAINS:
        raise _wrong(f"There is no grain '{grain}'.", f"Use one of {', '.join(GRAINS)}.")
    periodic = [metric.name for metric in asked if metric.is_periodic]
    if periodic and grain is None:
        grain = "day"  # a rolling value is one of a day
    if any(grain is not None and grain not in metric.grains for metric in asked):
        raise _wrong(
            f"'{periodic[0]}' is told by the day or coarser.",
            "Use the grain day, or a coarser one.",
        )
    window = _window(as_of, question)
    if compare is not None and compare != "previous":
        raise _wrong(f"There is no comparison '{compare}'.", "Use `previous`: the window before.")
    if compare and (window.since is None or window.until is None):
        raise _wrong(
            "There is nothing before all time.", "Name a window: --days 7, or --from and --to."
        )
    request = Request(
        metrics=asked,
        by=words,
        filters=filters,
        window=window,
        grain=grain,
        compare=compare is not None,
        clearance=catalogue.cleared_for(clearance)[-1],
        order_by=question.order_by,
        descending=question.descending,
        limit=_limit(question.limit),
    )
    _check_order(request)
    return request


def _check_order(request: Request) -> None:
    columns = [column.name for column in request.columns]
    if request.order_by is not None and request.order_by not in columns:
        raise _wrong(
            f"The answer has no column '{request.order_by}'.",
            f"Order by one of {', '.join(columns)}.",
        )
    if not isinstance(request.descending, bool):
        raise _wrong("Descending is a truth value.", "Use true or false.")
    if request.descending and request.order_by is None:
        raise _wrong("The largest of what?", "Name the column: --order-by COLUMN --desc.")


def _limit(given: int | None) -> int:
    if given is None:
        return MOST_ROWS
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise _wrong(f"A limit of {given} rows shows nothing.", "Use 1 or more.")
    return min(given, MOST_ROWS)


def _texts(given: Any, what: str) -> list[str]:
    """One text or several, each once."""
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    texts = []
    for each in several:
        if not isinstance(each, str):
            raise _wrong(f"A {what} is a text, not {type(each).__name__}.", "Use one or a list.")
        texts.append(each)
    return list(dict.fromkeys(texts))


def _filters(where: Where) -> tuple[Filter, ...]:
    """Conditions of one slice are alternatives, those of several all hold."""
    wanted: dict[tuple[str, bool], dict[str | None, None]] = {}
    if isinstance(where, Mapping):
        pairs = [(*_negation(word), values) for word, values in where.items()]
    else:
        pairs = [_condition(text) for text in _texts(where, "condition")]
    for word, negated, values in pairs:
        several = values if isinstance(values, (list, tuple, set, frozenset)) else [values]
        if not several:
            raise _wrong(
                f"No value is named for '{word}'.", "Leave the condition out, or name one."
            )
        for value in several:
            wanted.setdefault((word, negated), {})[_text(word, value)] = None
    ordered = sorted(wanted.items(), key=lambda item: item[0])
    return tuple(
        Filter(word, tuple(sorted(values, key=lambda v: (v is not None, v or ""))), negated)
        for (word, negated), values in ordered
    )


def _negation(word: Any) -> tuple[str, bool]:
    text = str(word)
    return text.removesuffix("!"), text.endswith("!")


def _condition(text: str) -> tuple[str, bool, str | None]:
    found = _CONDITION.fullmatch(text)
    if not found:
        raise _wrong(
            f"'{text}' is no condition.",
            "Use slice=value or slice!=value, e.g. tier=tier_2; `slice=` for unknown ones.",
        )
    word, negation, value = found.groups()
    return word, bool(negation), value or None


def _text(word: str, value: Any) -> str | None:
    """A value as the database writes it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise _wrong(
            f"'{word}' can't be compared with {type(value).__name__}.",
            "Use a text, a number or a truth value.",
        )
    text = str(value)
    if "\0" in text:
        raise _wrong(f"A value of '{word}' has a NUL character in it.", "No stored text has one.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _wrong(
            f"A value of '{word}' is no text: it has half a character.", "Use valid Unicode."
        ) from None
    return text


def _window(as_of: datetime, question: Question) -> Window:
    """A window in UTC without a zone. It ends with the snapshot's moment where it has a beginning alone."""
    since, until, days, hours = question.since, question.until, question.days, question.hours
    lengths = [length for length in (days, hours) if length is not None]
    if len(lengths) > 1 or (lengths and since is not None):
        raise _wrong("A window has one beginning.", "Use one of --days, --hours and --from.")
    end = _moment(until) if until is not None else None
    beginning = _moment(since) if since is not None else None
    if (lengths or beginning) and end is None:
        end = as_of.astimezone(UTC).replace(tzinfo=None)
    if lengths:
        if isinstance(lengths[0], bool) or not isinstance(lengths[0], int) or lengths[0] < 1:
            raise _wrong(f"A window of {lengths[0]} is empty.", "Use 1 or more.")
        assert end is not None
        try:
            beginning = end - timedelta(days=days or 0, hours=hours or 0)
            if beginning.year < 1900:
                raise OverflowError
        except OverflowError:
            raise _wrong(
                "The window begins before all time.",
                "Use a smaller number; or no window: all rows.",
            ) from None
    if beginning is not None and end is not None and beginning >= end:
        raise _wrong(
            f"The window ends ({end.isoformat()}) before it begins ({beginning.isoformat()}).",
            "--from is included, --to is not.",
        )
    return Window(beginning, end)


def _moment(given: Moment) -> datetime:
    if not isinstance(given, str | date):
        raise _wrong(
            f"{type(given).__name__} is no time.", "Use a datetime, a date or a text in ISO 8601."
        )
    found = moment(given if isinstance(given, str) else given.isoformat())
    return found.replace(tzinfo=None)


def _wrong(message: str, hint: str) -> GraceError:
    return GraceError(message, hint, ExitCode.USAGE)
