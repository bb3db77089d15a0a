"""A grid of questions, made up from one seed: every metric, slice, window and length of a period comes about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from random import Random
from typing import Any

from metrics_oracle.answers import from_rows, size
from metrics_oracle.facts import Facts
from metrics_oracle.meanings import Part
from metrics_oracle.periods import DAILY, GRAINS
from metrics_oracle.questions import METRICS, Condition, Question, common_slices

SEED = 20260120
# Questions of which the most telling one is taken.
TRIES = 8
# Rows of the longest answer.
LONGEST = 1500
Window = tuple[tuple[str, Any], ...]


def between(since: datetime, until: datetime) -> Window:
    """A window with both ends."""
    return (("since", since), ("until", until))


_SAME_INSTANT = datetime(2026, 1, 16, 10, 0, 0, 1)
_WITHIN_A_MINUTE = datetime(2026, 1, 3, 6, 0, 30, 500_000)
WINDOWS: dict[str, Window] = {
    "all time": (),
    "whole days": between(datetime(2025, 11, 12), datetime(2025, 12, 6)),
    "seven days": (("days", 7),),
    "days to a moment": (("until", _WITHIN_A_MINUTE), ("days", 5)),
    "hours": (("hours", 30),),
    "within minutes": between(datetime(2025, 12, 5, 11, 0, 0, 1), _WITHIN_A_MINUTE),
    "within a minute": between(_SAME_INSTANT, _SAME_INSTANT.replace(microsecond=2)),
    "nothing happened": between(datetime(2025, 12, 12), datetime(2025, 12, 20, 12)),
    "a month's end": between(datetime(2025, 11, 30, 18), datetime(2025, 12, 1, 6)),
    "a month": between(datetime(2025, 12, 1), datetime(2026, 1, 1)),
    "a quarter's end": between(datetime(2025, 12, 31, 21, 30), datetime(2026, 1, 1, 12)),
    "from before all": between(datetime(2025, 10, 20), datetime(2025, 11, 14, 12)),
    "beyond all": between(datetime(2026, 1, 19), datetime(2026, 2, 9)),
    "since": (("since", datetime(2026, 1, 13, 13, 30)),),
    "until": (("until", datetime(2025, 12, 1)),),
}
# In which much happened.
LONG = (
    "all time",
    "whole days",
    "seven days",
    "within minutes",
    "a month",
    "beyond all",
    "since",
    "until",
)
# In which minutes can be counted.
SHORT = ("hours", "within a minute", "a month's end", "a quarter's end")
HOSTILE = ("1=1) or ('a'='a", "'; drop table dim_tier; --", "größe 🦆", "$mq_since", "%(mq_since)s")


class Turns:
    """Takes what was taken least."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.taken = chance, Counter[Any]()

    def next(self, among: Iterable[Any]) -> Any:
        """One of these."""
        shuffled = list(among)
        self.chance.shuffle(shuffled)
        choice = min(shuffled, key=lambda each: self.taken[each])
        self.taken[choice] += 1
        return choice


class Grid:
    """Questions whose answers are not too long."""

    def __init__(self, facts: Facts, as_of: datetime) -> None:
        self.facts, self.as_of, self.find = facts, as_of, from_rows(facts)
        self.chance = Random(SEED)
        self.windows, self.grains = Turns(self.chance), Turns(self.chance)
        self.slices, self.others = Turns(self.chance), Turns(self.chance)

    def questions(self) -> dict[str, list[Question]]:
        """By the metric that they begin with: one of which much is told, one of any kind, and one for what is left.

        Left is what rows can be cut by and were not cut apart by.
        """
        found = {name: [self._broad(name), self._any(name)] for name in METRICS}
        cut = {pair for asked in found.values() for each in asked for pair in self.cut_apart(each)}
        for name, meaning in METRICS.items():
            left = sorted(word for word in meaning.slices if (meaning.parts, word) not in cut)
            for first in range(0, len(left), 2):
                found[name].append(Question((name,), (), tuple(left[first : first + 2])))
            cut |= {(meaning.parts, word) for word in left}
        return found

    def cut_apart(self, question: Question) -> set[tuple[tuple[Part, ...], str]]:
        """The words by which a question cuts rows apart, with the rows; all of one value are so by that."""
        span = question.span(self.as_of)
        found = set()
        for name in question.metrics:
            meaning, values = METRICS[name], self.find(name, question, span)
            part = meaning.parts[0]
            rows = [row["@"] for row in self.facts.rows[part.fact] if part.only(row)]
            for place, word in enumerate(question.by):
                there = {cut[place] for _, cut in values}
                if there and (len(there) > 1 or len({row[word] for row in rows}) == 1):
                    found.add((meaning.parts, word))
        return found

    def _broad(self, name: str) -> Question:
        """Of a few, the one that most other metrics of the same fact answer otherwise."""
        best: tuple[int, Question] | None = None
        for _ in range(TRIES):
            window, grain = self.chance.choice(LONG), self.chance.choice(DAILY[1:])
            question = self._fitting(name, WINDOWS[window], grain, self.chance.choice((0, 1)))
            alike = self._alike(name, question)
            if best is None or alike < best[0]:
                best = alike, question
            if not alike:
                break
        assert best
        return best[1]

    def _alike(self, name: str, question: Question) -> int:
        """How many metrics of the same rows have just the same values."""
        span = question.span(self.as_of)
        own = self.find(name, question, span)
        others = METRICS[name].siblings(METRICS)
        return sum(self.find(other, question, span) == own for other in others)

    def _any(self, name: str) -> Question:
        grain = self.grains.next([None, *(DAILY if METRICS[name].span else GRAINS)])
        window = WINDOWS[self.windows.next(SHORT if grain == "minute" else WINDOWS)]
        wanted = self.chance.choice((0, 1, 1, 2, 2, 2))
        return self._fitting(name, window, grain, wanted, is_plain=False)

    def _fitting(
        self, name: str, window: Window, grain: str | None, wanted: int, *, is_plain: bool = True
    ) -> Question:
        for words in (wanted, 1, 0):
            question = self._drawn(name, window, grain, words, is_plain)
            if size(question, self.as_of, self.facts.days, self.find) <= LONGEST:
                return question
        # An hour is a long story over months.
        return self._drawn(name, window, self.chance.choice(DAILY[1:]), 0, is_plain)

    def _drawn(
        self, name: str, window: Window, grain: str | None, wanted: int, is_plain: bool
    ) -> Question:
        names = [name]
        if not is_plain and self.chance.random() < 0.6:
            is_daily = grain is None or grain in DAILY
            others = [other for other in METRICS if is_daily or not METRICS[other].span]
            names.append(self.others.next([o for o in others if common_slices([name, o])]))
        words = common_slices(names)
        one = self.chance.choice if is_plain else self.slices.next
        by = [one(words) for _ in range(min(wanted, len(words)))]
        has_beginning = not {"since", "days", "hours"}.isdisjoint(dict(window))
        return Question(
            metrics=tuple(dict.fromkeys(names)),
            window=window,
            by=tuple(dict.fromkeys(by)),
            grain=grain,
            where=() if is_plain or self.chance.random() < 0.4 else self._conditions(name, words),
            compare=has_beginning and self.chance.random() < 0.3,
        )

    def _conditions(self, name: str, words: list[str]) -> tuple[Condition, ...]:
        rows = self.facts.rows[METRICS[name].parts[0].fact]
        found = []
        for word in self.chance.sample(words, min(len(words), self.chance.choice((1, 1, 2)))):
            chosen = self.chance.choices(rows, k=self.chance.choice((1, 2, 3)))
            values = [row["@"][word] for row in chosen]
            if self.chance.random() < 0.3:
                values.append(self.chance.choice((None, *HOSTILE)))
            found.append(Condition(word, tuple(dict.fromkeys(values)), self.chance.random() < 0.4))
        return tuple(found)
