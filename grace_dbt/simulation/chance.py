"""Random choices that repeat for a seed, and that leave no value out."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Deck(Generic[T]):
    """Deals every value once, in random order, then by weight: no value is left to luck."""

    def __init__(self, rng: Random, weights: Mapping[T, float]) -> None:
        """Shuffle one card of each value."""
        self._random = rng.random
        self._values = list(weights)
        self._bounds = list(accumulate(weights.values()))
        self._total = self._bounds.pop()
        self._first = list(weights)
        rng.shuffle(self._first)

    def deal(self) -> T:
        """The next value."""
        if self._first:
            return self._first.pop()
        return self._values[bisect(self._bounds, self._random() * self._total)]


class Serial:
    """Identifiers that look random and never repeat: a counter, scattered over 32 bits."""

    def __init__(self, rng: Random, prefix: str) -> None:
        """Start at a random place."""
        self._prefix = prefix
        self._next = rng.getrandbits(32)

    def __call__(self) -> str:
        """The next identifier: an odd factor permutes the numbers below 2**32."""
        self._next += 1
        return f"{self._prefix}{self._next * 0x9E3779B1 & 0xFFFFFFFF:08x}"


def spread(rng: Random, low: float, high: float) -> int:
    """A whole number between two positive bounds, even in its logarithm: mostly a low one."""
    return int(low * (high / low) ** rng.random())


def share(rng: Random, low: float, high: float) -> float:
    """A number between two bounds, rounded to four places."""
    return round(low + (high - low) * rng.random(), 4)
