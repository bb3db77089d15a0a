"""What is wrong with definitions, told with file and line; what is right is left to be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from grace_dbt.metrics.catalogue import (
    DIRECTIONS,
    Catalogue,
    cumulative_of,
    input_of,
    measures_of,
    metric_inputs,
    primary_entity,
    table_of,
    time_dimension,
)
from grace_dbt.metrics.definitions import Definitions, read_definitions
from grace_dbt.metrics.periods import GRAINS
from grace_dbt.metrics.yaml_files import Entry, Problem
from grace_dbt.settings import Settings, cube_tables

TYPES = ("simple", "ratio", "derived", "cumulative")
AGGREGATIONS = (
    "count", "count_distinct", "sum", "sum_boolean", "average", "min", "max", "median", "percentile",
)  # fmt: skip
# Aggregations that a rollup can add up.
ADDITIVE = ("count", "sum", "sum_boolean")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WINDOW = re.compile(r"[1-9][0-9]{0,3} (?:day|week|month|quarter|year)s?")
_METRIC_KEYS = (
    "name", "label", "description", "type", "type_params", "filter", "config", "declared_in",
)  # fmt: skip
_MODEL_KEYS = (
    "name", "label", "description", "model", "defaults", "primary_entity", "config", "entities",
    "dimensions", "measures", "declared_in",
)  # fmt: skip
_META = ("owner", "unit", "direction", "clearance")
# What a query's answer calls its other columns.
_RESERVED = ("period", "metric_time")
_SUFFIXES = ("_previous", "_change", "_change_ratio")
_LONGEST_NAME = 50


def sound_definitions(settings: Settings) -> tuple[Definitions, list[str]]:
    """The definitions that hold, and in words what does not."""
    definitions, problems = read_definitions(settings)
    problems += check(definitions, cube_tables())
    return without(definitions, problems), [str(problem) for problem in sorted(problems)]


def check(definitions: Definitions, tables: Iterable[str]) -> list[Problem]:
    """Everything that can be seen in the files alone.

    Args:
        definitions: As they were read.
        tables: The tables that are published: what semantic models may stand on.

    Returns:
        What is wrong, by file and line.
    """
    return sorted(set(_Checks(definitions, tables).problems()))


def without(definitions: Definitions, problems: Iterable[Problem]) -> Definitions:
    """The definitions that hold: without the metrics and models that have a problem, and what stands on them."""
    bad = {problem.metric for problem in problems if problem.metric}
    places = {f"{problem.file}:{problem.line}" for problem in problems}
    models = tuple(m for m in definitions.semantic_models if f"model {m['name']}" not in bad)
    measures = {each.get("name") for model in models for each in model.get("measures") or ()}
    metrics: dict[str, Mapping[str, Any]] = {}
    for metric in definitions.metrics:  # of two of one name the first one stays
        if metric["name"] not in bad and metric["declared_in"] not in places:
            metrics.setdefault(metric["name"], metric)
    while True:
        broken = [
            name
            for name, metric in metrics.items()
            if any(each["name"] not in metrics for each in metric_inputs(metric))
            or any(each not in measures for each in measures_of(metric))
        ]
        if not broken:
            return Definitions(models, tuple(metrics.values()), definitions.clearances)
        for name in broken:
            del metrics[name]


class _Checks:
    """One look at some definitions."""

    def __init__(self, definitions: Definitions, tables: Iterable[str]) -> None:
        self.definitions, self.tables = definitions, sorted(tables)
        self.metrics: dict[str, Mapping[str, Any]] = {}
        for metric in definitions.metrics:
            self.metrics.setdefault(metric["name"], metric)

    def problems(self) -> Iterator[Problem]:
        """All of them."""
        models_hold = True
        for problem in self._of_models():
            models_hold = False
            yield problem
        yield from self._duplicates("metric", self.definitions.metrics)
        hold = True
        for metric in self.definitions.metrics:
            for problem in self._of_metric(metric):
                hold = False
                yield problem
        yield from self._circles()
        if models_hold and hold:
            yield from self._of_clearances()

    # Semantic models

    def _of_models(self) -> Iterator[Problem]:
        models = self.definitions.semantic_models
        yield from self._duplicates("semantic model", models)
        measures: dict[str, str] = {}
        for model in models:
            name = f"model {model['name']}"
            yield from self._keys(model, _MODEL_KEYS, model, name)
            yield from self._named(model, model, name)
            table = table_of(model) if isinstance(model.get("model"), str) else ""
            if table not in self.tables:
                yield self._at(
                    model, "model", name,
                    f"'model' names a published table: ref('fact_...'), not {model.get('model')!r}."
                    + _suggest(table, self.tables),
                )  # fmt: skip
            if not primary_entity(model):
                yield self._at(
                    model, "entities", name, "A semantic model has one entity of type primary."
                )
            for part in ("entities", "dimensions", "measures"):
                for entry in _entries(model, part):
                    yield from self._named(entry, model, name)
            times = [
                d.get("name") for d in _entries(model, "dimensions") if d.get("type") == "time"
            ]
            for dimension in _entries(model, "dimensions"):
                if dimension.get("type") not in ("time", "categorical"):
                    yield self._at(
                        dimension,
                        "type",
                        name,
                        "The type of a dimension is time or categorical.",
                        model,
                    )
            for measure in _entries(model, "measures"):
                yield from self._of_measure(measure, model, times)
                other = measures.setdefault(measure.get("name", ""), model["name"])
                if other != model["name"]:
                    yield self._at(
                        measure, "name", name,
                        f"The measure '{measure.get('name')}' stands in '{other}' already.", model,
                    )  # fmt: skip
            yield from self._of_rollups(model, name)

    def _of_measure(
        self, measure: Mapping[str, Any], model: Mapping[str, Any], times: list[Any]
    ) -> Iterator[Problem]:
        name = f"model {model['name']}"
        if measure.get("agg") not in AGGREGATIONS:
            yield self._at(
                measure, "agg", name,
                f"'agg' is one of {', '.join(AGGREGATIONS)}, not {measure.get('agg')!r}.", model,
            )  # fmt: skip
        share = (measure.get("agg_params") or {}).get("percentile")
        if measure.get("agg") == "percentile" and not (
            isinstance(share, float | int) and 0 <= share <= 1
        ):
            yield self._at(
                measure,
                "agg_params",
                name,
                "A percentile has `agg_params: {percentile: 0.95}`.",
                model,
            )
        if time_dimension(model, measure) not in times:
            yield self._at(
                measure, "agg_time_dimension", name,
                f"The measure '{measure.get('name')}' needs a time: a dimension of type time, named by"
                " `defaults: {agg_time_dimension: ...}`.", model,
            )  # fmt: skip

    def _of_rollups(self, model: Mapping[str, Any], name: str) -> Iterator[Problem]:
        meta = (model.get("config") or {}).get("meta") or {}
        own = {m.get("name"): m for m in _entries(model, "measures")}
        for rollup in meta.get("rollups") or ():
            if rollup.get("table") not in self.tables:
                yield self._at(rollup, "table", name, "A rollup names a published table.", model)
            if rollup.get("grain") not in ("hour", "day"):
                yield self._at(
                    rollup, "grain", name, "The grain of a rollup is hour or day.", model
                )
            for measure, written in (rollup.get("measures") or {}).items():
                aggregation = own.get(measure, {}).get("agg")
                fits = (
                    (isinstance(written, str) and aggregation in ADDITIVE)
                    or (isinstance(written, Mapping) and aggregation == "average" and {*written} == {"sum", "count"})
                )  # fmt: skip
                if not fits:
                    yield self._at(
                        rollup, "measures", name,
                        f"'{measure}' can't be read from a rollup so: a count or sum is one expression, an average is"
                        " {sum: ..., count: ...}, anything else is in no rollup.", model,
                    )  # fmt: skip

    # Metrics

    def _of_metric(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        name = metric["name"]
        yield from self._keys(metric, _METRIC_KEYS, metric, name)
        yield from self._named(metric, metric, name)
        if name in _RESERVED or name.endswith(_SUFFIXES):
            yield self._at(
                metric, "name", name, f"'{name}' is what an answer calls a column of its own."
            )
        if not isinstance(metric.get("description"), str) or not metric["description"].strip():
            yield self._at(
                metric, "description", name, f"'{name}' needs a description: what it means."
            )
        yield from self._of_meta(metric)
        if metric.get("type") not in TYPES:
            yield self._at(
                metric,
                "type",
                name,
                f"'type' is one of {', '.join(TYPES)}, not {metric.get('type')!r}.",
            )
            return
        if not isinstance(metric.get("type_params"), Mapping):
            yield self._at(
                metric,
                "type_params",
                name,
                f"'{name}' needs type_params: what it is computed from.",
            )
            return
        yield from self._of_parts(metric)
        written = metric.get("filter")
        conditions: list[Any] = written if isinstance(written, list) else [written]
        if written is not None and not all(isinstance(e, str) and e.strip() for e in conditions):
            yield self._at(metric, "filter", name, "'filter' is a text, or a list of texts.")

    def _of_meta(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        config = metric.get("config")
        meta = config.get("meta") if isinstance(config, Mapping) else None
        meta = meta if isinstance(meta, Mapping) else {}
        accepted = {"direction": DIRECTIONS, "clearance": self.definitions.clearances}
        for key in _META:
            value = meta.get(key)
            if not isinstance(value, str) or not value.strip():
                yield self._at(
                    meta or metric, key if meta else "config", metric["name"],
                    f"'{metric['name']}' needs `config: {{meta: {{{key}: ...}}}}`.", metric,
                )  # fmt: skip
            elif key in accepted and value not in accepted[key]:
                yield self._at(
                    meta, key, metric["name"],
                    f"'{key}' is one of {', '.join(accepted[key])}, not '{value}'.", metric,
                )  # fmt: skip

    def _of_parts(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        """That a metric has what its type asks for, and that all that it names is there."""
        name, kind, parameters = metric["name"], metric["type"], metric["type_params"]
        needed = {
            "simple": ("measure",), "cumulative": ("measure",), "ratio": ("numerator", "denominator"),
            "derived": ("expr", "metrics"),
        }[kind]  # fmt: skip
        for part in needed:
            if not parameters.get(part):
                yield self._at(
                    parameters,
                    part,
                    name,
                    f"A metric of type {kind} needs `type_params: {{{part}: ...}}`.",
                    metric,
                )
                return
        try:
            inputs, measures = metric_inputs(metric), measures_of(metric)
            names = [each["name"] for each in inputs]
        except (TypeError, ValueError, KeyError):
            yield self._at(
                metric, "type_params", name, "An input is a name, or a mapping with `name`."
            )
            return
        known = sorted(
            {
                m.get("name", "")
                for model in self.definitions.semantic_models
                for m in _entries(model, "measures")
            }
        )
        for each in measures:
            if each not in known:
                yield self._at(
                    parameters,
                    "measure",
                    name,
                    f"There is no measure '{each}'.{_suggest(each, known)}",
                    metric,
                )
        for each in names:
            if each not in self.metrics:
                part = next(
                    (
                        p
                        for p in ("numerator", "denominator")
                        if parameters.get(p) and input_of(parameters[p])["name"] == each
                    ),
                    "metrics",
                )
                yield self._at(
                    parameters,
                    part,
                    name,
                    f"There is no metric '{each}'.{_suggest(each, self.metrics)}",
                    metric,
                )
        if kind == "cumulative":
            span = cumulative_of(metric)
            window, to_date = span.get("window"), span.get("grain_to_date")
            if window is not None and not (isinstance(window, str) and _WINDOW.fullmatch(window)):
                yield self._at(
                    parameters, "cumulative_type_params", name,
                    f"'window' is a number and a unit, e.g. `7 days`, not {window!r}.", metric,
                )  # fmt: skip
            if to_date is not None and to_date not in GRAINS[2:]:
                yield self._at(
                    parameters, "cumulative_type_params", name,
                    f"'grain_to_date' is one of {', '.join(GRAINS[2:])}, not {to_date!r}.", metric,
                )  # fmt: skip

    def _circles(self) -> Iterator[Problem]:
        """Metrics that are made of themselves."""
        for name, metric in self.metrics.items():
            pending, seen = [name], set()
            while pending:
                try:
                    inputs = [
                        each["name"] for each in metric_inputs(self.metrics.get(pending.pop(), {}))
                    ]
                except (TypeError, ValueError, KeyError, AttributeError):
                    continue
                if name in inputs:
                    yield self._at(metric, "type_params", name, f"'{name}' is made of itself.")
                    break
                pending += [each for each in inputs if each not in seen]
                seen.update(inputs)

    def _of_clearances(self) -> Iterator[Problem]:
        """A metric tells what it is made of, so it needs the clearance of its parts."""
        order = self.definitions.clearances
        catalogue = Catalogue(self.definitions)
        for name, metric in catalogue.metrics.items():
            for each in catalogue.inputs(name):
                part = catalogue.metrics[each]
                if order.index(part.clearance) > order.index(metric.clearance):
                    declared = catalogue.declared[name]
                    yield self._at(
                        declared["config"]["meta"], "clearance", name,
                        f"'{name}' needs the clearance {part.clearance} of '{each}', of which it is made.", declared,
                    )  # fmt: skip
                    break

    # Where it stands

    def _duplicates(self, kind: str, entries: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
        first: dict[str, Mapping[str, Any]] = {}
        for entry in entries:
            other = first.setdefault(entry["name"], entry)
            if other is not entry:
                yield self._at(
                    entry,
                    "name",
                    "",
                    f"There is a {kind} '{entry['name']}' already, in {other['declared_in']}.",
                )

    def _keys(
        self,
        entry: Mapping[str, Any],
        known: tuple[str, ...],
        owner: Mapping[str, Any],
        metric: str,
    ) -> Iterator[Problem]:
        for key in entry:
            if key not in known:
                yield self._at(
                    entry,
                    str(key),
                    metric,
                    f"'{key}' is not known here.{_suggest(str(key), known)}",
                    owner,
                )

    def _named(
        self, entry: Mapping[str, Any], owner: Mapping[str, Any], metric: str
    ) -> Iterator[Problem]:
        name = entry.get("name")
        if (
            not isinstance(name, str)
            or not _NAME.fullmatch(name)
            or "__" in name
            or len(name) > _LONGEST_NAME
        ):
            yield self._at(
                entry, "name", metric,
                f"A name is made of a-z, 0-9 and single _, begins with a letter and has at most {_LONGEST_NAME} of"
                f" them; not {name!r}.", owner,
            )  # fmt: skip

    @staticmethod
    def _at(
        entry: Mapping[str, Any],
        key: str,
        metric: str,
        message: str,
        owner: Mapping[str, Any] | None = None,
    ) -> Problem:
        """A problem at a key of an entry, or at the entry where it does not have the key."""
        file, _, line = str((owner or entry)["declared_in"]).rpartition(":")
        if isinstance(entry, Entry):
            line = str(entry.lines.get(key, entry.line))
        return Problem(file, int(line), message, metric)


def _entries(model: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    return [each for each in model.get(part) or () if isinstance(each, Mapping)]


def _suggest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
