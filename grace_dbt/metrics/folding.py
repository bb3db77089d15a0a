"""Facts that are folded before anything is joined to them: summed by their own keys, slices and periods.

A join of ten million facts to a dimension takes longer than all sums of them, and a rolling metric would join each fact
to every day that looks back at it. What is additive can be summed first, to the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grace_dbt.metrics.catalogue import (
    TIER,
    Catalogue,
    conditions_of,
    measures_of,
    primary_entity,
    time_dimension,
)
from grace_dbt.metrics.shapes import SLICE

if TYPE_CHECKING:
    from grace_dbt.metrics.prepared import Shape

# What a sum, the largest or the smallest of parts tells of the whole.
_REFOLDED = {
    **dict.fromkeys(("count", "sum", "sum_boolean", "average"), "sum"),
    "max": "max",
    "min": "min",
}


@dataclass(frozen=True)
class Fold:
    """How the facts of one semantic model are folded.

    Attributes:
        model: The semantic model.
        keys: Entities that lead to dimensions which are joined afterwards.
        slices: Words of its own slices.
        time: By which of its times.
        grain: Length of a period; None where all time is one.
        measures: How the parts of each measure are put together.
    """

    model: str
    keys: tuple[str, ...]
    slices: tuple[str, ...]
    time: str
    grain: str | None
    measures: Mapping[str, str]


def folds_of(catalogue: Catalogue, shape: Shape) -> tuple[Fold, ...]:
    """A fold of each semantic model; none where nothing is joined to the facts, or they can't be folded."""
    if shape.source.rollup:
        return ()
    names = list(dict.fromkeys(n for metric in shape.metrics for n in catalogue.inputs(metric)))
    conditions = [text for name in names for text in conditions_of(catalogue.declared[name])]
    about = {found["name"] for text in conditions for found in SLICE.finditer(text)}
    measures: dict[str, list[str]] = {}
    for name in names:
        for measure in measures_of(catalogue.declared[name]):
            measures.setdefault(catalogue.measures[measure][0], []).append(measure)
    if not all(_can_fold(catalogue, each, about) for each in measures.items()):
        return ()
    folds = [_fold(catalogue, shape, each, about) for each in measures.items()]
    joins = shape.source.is_periodic or any(fold.keys for fold in folds)
    return tuple(folds) if joins else ()


def _can_fold(catalogue: Catalogue, measured: tuple[str, list[str]], about: set[str]) -> bool:
    """Whether the parts of these measures of a model make the whole, and conditions can be asked of parts."""
    model = catalogue.models[measured[0]]
    declared = [catalogue.measures[name][1] for name in measured[1]]
    known = {each.qualified for each in catalogue.slices_of_model(measured[0]).values()}
    return (
        all(
            each["agg"] in _REFOLDED and not each.get("non_additive_dimension") for each in declared
        )
        and len({time_dimension(model, each) for each in declared}) == 1
        and about <= known
    )


def _fold(
    catalogue: Catalogue, shape: Shape, measured: tuple[str, list[str]], about: set[str]
) -> Fold:
    name, measures = measured
    model, slices = catalogue.models[name], catalogue.slices_of_model(name)
    declared = {measure: catalogue.measures[measure][1] for measure in measures}
    words = {*shape.by, *(word for word, *_ in shape.filters)}
    words |= {word for word, each in slices.items() if each.qualified in about}
    if shape.is_cleared and TIER in slices:
        words.add(TIER)
    entities = {word: slices[word].qualified.rpartition("__")[0] for word in sorted(words)}
    own = primary_entity(model)
    return Fold(
        model=name,
        keys=tuple(dict.fromkeys(entity for entity in entities.values() if entity != own)),
        slices=tuple(word for word, entity in entities.items() if entity == own),
        time=time_dimension(model, declared[measures[0]]),
        grain="day" if shape.source.is_periodic else shape.grain,
        measures={measure: _REFOLDED[each["agg"]] for measure, each in declared.items()},
    )
