"""Whether definitions hold: in the files, by MetricFlow, and on the tables that are published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from grace_dbt.errors import GraceError
from grace_dbt.metrics.catalogue import Catalogue, Metric
from grace_dbt.metrics.checks import check, without
from grace_dbt.metrics.compiling import compile_shape
from grace_dbt.metrics.cubes import Cube, SnapshotCube
from grace_dbt.metrics.definitions import read_definitions
from grace_dbt.metrics.periods import Window
from grace_dbt.metrics.prepared import parameters_of, shape_of
from grace_dbt.metrics.request import Request
from grace_dbt.metrics.sources import Source, rollups_of, source_of
from grace_dbt.metrics.yaml_files import Problem
from grace_dbt.publishing import pointed_to
from grace_dbt.reading import open_snapshot
from grace_dbt.settings import Settings, published_columns


@dataclass(frozen=True)
class Validation:
    """What a look at the definitions found.

    Attributes:
        problems: What is wrong, by file and line.
        metrics: How many metrics hold.
        tried_on: The snapshot on whose tables every metric was tried; None where nothing is published yet.
    """

    problems: list[Problem]
    metrics: int
    tried_on: str | None


def validate(settings: Settings) -> Validation:
    """Look at the definitions of the project and of the user's folder.

    Raises:
        GraceError: The user's folder is named and not there, or what is published can't be read.
    """
    definitions, problems = read_definitions(settings)
    problems += check(definitions, published_columns())
    sound = without(definitions, problems)
    with ExitStack() as stack:
        cube: SnapshotCube | None = None
        if pointed_to(settings) is not None:
            snapshot = stack.enter_context(open_snapshot(settings.home))
            cube = SnapshotCube(snapshot, Catalogue(sound))
        problems += _tried(Catalogue(sound), cube)
        bad = {problem.metric for problem in problems}
        return Validation(
            problems=sorted(set(problems)),
            metrics=sum(metric["name"] not in bad for metric in sound.metrics),
            tried_on=cube.name if cube else None,
        )


def _tried(catalogue: Catalogue, cube: Cube | None) -> Iterator[Problem]:
    """What MetricFlow or the database says of each metric: many at once, and one by one where something is wrong."""
    for source, metrics in _sources(catalogue).items():
        slices = _slices(catalogue, source, metrics[0])
        together = _trouble(catalogue, cube, source, metrics, slices)
        if together is None:
            continue
        told = False
        for metric in metrics:
            trouble = _trouble(catalogue, cube, source, [metric], ())
            if trouble is not None:
                told = True
                yield _at(metric.declared_in, trouble, metric.name)
        for word in () if told else slices:
            trouble = _trouble(catalogue, cube, source, metrics[:1], (word,))
            if trouble is not None:
                told = True
                model = catalogue.models[metrics[0].models[0]]
                yield _at(str(model["declared_in"]), f"The slice '{word}': {trouble}", "")
        if not told:
            yield _at(metrics[-1].declared_in, together, metrics[-1].name)


def _sources(catalogue: Catalogue) -> dict[Source, list[Metric]]:
    """Every source that there is, with the metrics that can be read from it."""
    found: dict[Source, list[Metric]] = defaultdict(list)
    for metric in catalogue.metrics.values():
        facts = Source(metric.models, None, metric.is_periodic)
        found[facts].append(metric)
        for rollup in rollups_of(catalogue, metric):
            words = tuple(rollup.get("slices") or {})
            source = source_of(catalogue, _question(catalogue, metric, words), metric)
            if source.rollup == rollup["table"]:
                found[source].append(metric)
    return found


def _slices(catalogue: Catalogue, source: Source, metric: Metric) -> tuple[str, ...]:
    """What is asked of a source at once: its rollup's slices, or those of the facts."""
    for rollup in rollups_of(catalogue, metric):
        if rollup["table"] == source.rollup:
            return tuple(rollup.get("slices") or {})
    return tuple(metric.slices)


def _trouble(
    catalogue: Catalogue,
    cube: Cube | None,
    source: Source,
    metrics: list[Metric],
    words: tuple[str, ...],
) -> str | None:
    """Why a question has no answer; None where it has one."""
    request = _question(catalogue, metrics[0], words)
    shape = shape_of(catalogue, request, source, (m.name for m in metrics), "duckdb")
    try:
        found = compile_shape(catalogue, shape)
        if cube is not None:
            parameters = parameters_of(catalogue, request, source, found.sql)
            cube.fetch(f"select * from ({found.sql}) limit 0", parameters)
    except GraceError as error:
        return error.message
    return None


def _question(catalogue: Catalogue, metric: Metric, words: tuple[str, ...]) -> Request:
    return Request(
        metrics=(metric,),
        by=words,
        filters=(),
        window=Window(),
        grain="day" if metric.is_periodic else None,
        compare=False,
        clearance=catalogue.highest,
    )


def _at(declared_in: str, message: str, metric: str) -> Problem:
    file, _, line = declared_in.rpartition(":")
    return Problem(file, int(line), message, metric)
