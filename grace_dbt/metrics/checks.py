"""What is wrong with definitions, told with file and line; what is right is left to be asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from grace_dbt.metrics.catalogue import (
    DIRECTIONS,
    TIER,
    TIER_KEY,
    Catalogue,
    cumulative_of,
    input_of,
    measures_of,
    metric_inputs,
    primary_entity,
    table_of,
    time_dimension,
)
from grace_dbt.metrics.columns import COMPARED, compared
from grace_dbt.metrics.definitions import PROJECT_FOLDER, Definitions, read_definitions
from grace_dbt.metrics.periods import GRAINS
from grace_dbt.metrics.shapes import METRIC, MODEL, PARAMETERS, mistakes, shown, suggestion
from grace_dbt.metrics.yaml_files import Entry, Problem
from grace_dbt.settings import Settings, published_columns

AGGREGATIONS = (
    "count", "count_distinct", "sum", "sum_boolean", "average", "min", "max", "median", "percentile",
)  # fmt: skip
# Aggregations that a rollup can add up.
ADDITIVE = ("count", "sum", "sum_boolean")
ENTITIES = ("primary", "foreign", "unique", "natural")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WINDOW = re.compile(r"[1-9][0-9]{0,3} (?:day|week|month|quarter|year)s?")
_META = ("owner", "unit", "direction", "clearance")
# What a query's answer calls its other columns.
_RESERVED = ("period", "metric_time")
_SUFFIXES = tuple(compared("", kind) for kind in COMPARED)
_LONGEST_NAME = 50
# The column of a rollup that says of which tier its rows are.
TIER_CODE = "tier_code"

Tables = Mapping[str, Collection[str]]


def sound_definitions(settings: Settings) -> tuple[Definitions, list[str]]:
    """The definitions that hold, and in words what does not."""
    definitions, problems = read_definitions(settings)
    problems += check(definitions, published_columns())
    return without(definitions, problems), [str(problem) for problem in sorted(problems)]


def check(definitions: Definitions, tables: Tables) -> list[Problem]:
    """Everything that can be seen in the files alone.

    Args:
        definitions: As they were read.
        tables: The columns of each published table: what semantic models may stand on.

    Returns:
        What is wrong, by file and line.
    """
    problems = set(_Checks(definitions, tables).problems())
    # A metric tells what it is made of, so what is left has to hold together before clearances can be compared.
    problems |= set(_of_clearances(without(definitions, problems)))
    return sorted(problems)


def without(definitions: Definitions, problems: Iterable[Problem]) -> Definitions:
    """The definitions that hold: without the metrics and models that have a problem, and what stands on them."""
    bad = {problem.entry for problem in problems}
    models = _by_name(
        each for each in definitions.semantic_models if each["declared_in"] not in bad
    )
    metrics = _by_name(each for each in definitions.metrics if each["declared_in"] not in bad)
    measures = {each["name"] for model in models.values() for each in model.get("measures") or ()}
    while True:
        broken = [
            name
            for name, metric in metrics.items()
            if any(each["name"] not in metrics for each in metric_inputs(metric))
            or any(each not in measures for each in measures_of(metric))
        ]
        if not broken:
            return Definitions(
                tuple(models.values()), tuple(metrics.values()), definitions.clearances
            )
        for name in broken:
            del metrics[name]


def _by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Entries by name; of two of one name the first one stays."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        found.setdefault(entry["name"], entry)
    return found


def _of_clearances(definitions: Definitions) -> Iterator[Problem]:
    """A metric tells what it is made of, so it needs the clearance of its parts."""
    order = definitions.clearances
    catalogue = Catalogue(definitions)
    for name, metric in catalogue.metrics.items():
        for each in catalogue.inputs(name):
            part = catalogue.metrics[each]
            if order.index(part.clearance) > order.index(metric.clearance):
                declared = catalogue.declared[name]
                yield _at(
                    declared["config"]["meta"], "clearance", name,
                    f"'{name}' needs the clearance {part.clearance} of '{each}', of which it is made.", declared,
                )  # fmt: skip
                break


class _Checks:
    """One look at some definitions."""

    def __init__(self, definitions: Definitions, tables: Tables) -> None:
        self.definitions, self.tables = definitions, tables
        self.shapeless: list[Problem] = []
        self.models = [
            model
            for model in definitions.semantic_models
            if self._has_shape(MODEL, model, model, f"model {model['name']}")
        ]
        self.metrics = [
            metric
            for metric in definitions.metrics
            if self._has_shape(METRIC, metric, metric, metric["name"])
            and self._has_parameters(metric)
        ]
        self.known = {metric["name"] for metric in definitions.metrics}
        # Also those of models that do not hold: that is told once, and not of each metric that stands on them.
        self.measures = {n for model in definitions.semantic_models for n in _named_measures(model)}
        self.keys = {
            entity.get("name")
            for model in self.models
            for entity in _parts(model, "entities")
            if entity.get("type") == "foreign"
        }

    def problems(self) -> Iterator[Problem]:
        """All of them; what has another shape than it should is looked at no further."""
        yield from self.shapeless
        yield from self._duplicates("semantic model", self.definitions.semantic_models)
        yield from self._duplicates("metric", self.definitions.metrics)
        owners: dict[str, dict[str, str]] = {"measure": {}, "key": {}}
        for model in self.models:
            yield from self._of_model(model)
            yield from self._of_tier(model)
            yield from self._owned_once(model, owners)
        for metric in self.metrics:
            yield from self._of_metric(metric)
        yield from self._circles()

    def _has_shape(
        self, shape: Any, value: Any, owner: Mapping[str, Any], name: str, key: str = ""
    ) -> bool:
        """Whether a value has a shape; what it has not is kept, to be told."""
        file, _, line = str(owner["declared_in"]).rpartition(":")
        told = [
            Problem(file, mistake.line or int(line), mistake.message, name, owner["declared_in"])
            for mistake in mistakes(
                shape, value, key or owner["name"], owner.lines.get(key) if isinstance(owner, Entry) else None
            )
        ]  # fmt: skip
        self.shapeless += told
        return not told

    def _has_parameters(self, metric: Mapping[str, Any]) -> bool:
        kind, name = metric.get("type"), metric["name"]
        if kind not in PARAMETERS:
            message = f"'type' is one of {', '.join(PARAMETERS)}, not {shown(kind)}."
            self.shapeless.append(_at(metric, "type", name, message))
            return False
        if metric.get("type_params") is None:
            message = f"'{name}' needs type_params: what it is computed from."
            self.shapeless.append(_at(metric, "type_params", name, message))
            return False
        return self._has_shape(PARAMETERS[kind], metric["type_params"], metric, name, "type_params")

    # Semantic models

    def _of_model(self, model: Mapping[str, Any]) -> Iterator[Problem]:
        name = f"model {model['name']}"
        yield from self._named(model, model, name)
        table = table_of(model) if model.get("model") else ""
        if table not in self.tables:
            yield _at(
                model, "model", name,
                f"'model' names a published table: ref('fact_...'), not {shown(model.get('model'))}."
                + suggestion(table, self.tables),
            )  # fmt: skip
        primary = [e for e in _parts(model, "entities") if e.get("type") == "primary"]
        if len(primary) != 1 and not (model.get("primary_entity") and not primary):
            yield _at(model, "entities", name, "A semantic model has one entity of type primary.")
        for part, kinds in (
            ("entities", ENTITIES), ("dimensions", ("time", "categorical")), ("measures", ()),
        ):  # fmt: skip
            names = Counter(entry.get("name") for entry in _parts(model, part))
            for entry in _parts(model, part):
                yield from self._named(entry, model, name)
                if kinds and entry.get("type") not in kinds:
                    yield _at(
                        entry, "type", name, f"'type' is one of {', '.join(kinds)} in '{part}'.", model
                    )  # fmt: skip
                if names[entry.get("name")] > 1:
                    message = f"'{entry.get('name')}' stands twice in '{part}'."
                    yield _at(entry, "name", name, message, model)
        times = [d.get("name") for d in _parts(model, "dimensions") if d.get("type") == "time"]
        taken = {metric["name"] for metric in self.metrics}
        for dimension in _parts(model, "dimensions"):
            word = dimension.get("name")
            if _is_column(word) or (word in taken and not _is_of_project(model)):
                message = f"'{word}' is what an answer calls a column of its own."
                yield _at(dimension, "name", name, message, model)
            grain = (dimension.get("type_params") or {}).get("time_granularity")
            if dimension.get("type") == "time" and grain not in GRAINS:
                yield _at(
                    dimension, "type_params", name,
                    f"A time has `type_params: {{time_granularity: ...}}`, one of {', '.join(GRAINS)}.", model,
                )  # fmt: skip
        for measure in _parts(model, "measures"):
            yield from self._of_measure(measure, model, times)
        yield from self._of_rollups(model)

    def _of_measure(
        self, measure: Mapping[str, Any], model: Mapping[str, Any], times: list[Any]
    ) -> Iterator[Problem]:
        name = f"model {model['name']}"
        if measure.get("agg") not in AGGREGATIONS:
            yield _at(
                measure, "agg", name,
                f"'agg' is one of {', '.join(AGGREGATIONS)}, not {shown(measure.get('agg'))}.", model,
            )  # fmt: skip
        share = (measure.get("agg_params") or {}).get("percentile")
        if measure.get("agg") == "percentile" and (share is None or not 0 <= share <= 1):
            yield _at(
                measure, "agg_params", name, "A percentile has `agg_params: {percentile: 0.95}`.", model
            )  # fmt: skip
        if time_dimension(model, measure) not in times:
            yield _at(
                measure, "agg_time_dimension", name,
                f"The measure '{measure.get('name')}' needs a time: a dimension of type time, named by"
                " `defaults: {agg_time_dimension: ...}`.", model,
            )  # fmt: skip

    def _of_rollups(self, model: Mapping[str, Any]) -> Iterator[Problem]:
        name = f"model {model['name']}"
        own = {m.get("name"): m for m in _parts(model, "measures")}
        for rollup in _rollups(model):
            if rollup["table"] not in self.tables:
                yield _at(rollup, "table", name, "A rollup names a published table.", model)
            if rollup["grain"] not in ("hour", "day"):
                yield _at(rollup, "grain", name, "The grain of a rollup is hour or day.", model)
            for measure, written in rollup["measures"].items():
                aggregation = own.get(measure, {}).get("agg")
                fits = (
                    aggregation in ADDITIVE
                    if isinstance(written, str)
                    else aggregation == "average"
                )
                if not fits:
                    yield _at(
                        rollup, "measures", name,
                        f"'{measure}' can't be read from a rollup so: a count or sum is one expression, an average is"
                        " {sum: ..., count: ...}, anything else is in no rollup.", model,
                    )  # fmt: skip

    def _owned_once(
        self, model: Mapping[str, Any], owners: dict[str, dict[str, str]]
    ) -> Iterator[Problem]:
        """That a measure stands in one model, and that what other tables point at by a key is one."""
        name = f"model {model['name']}"
        named = [("measure", measure) for measure in _parts(model, "measures")]
        named += [
            ("key", entity)
            for entity in _parts(model, "entities")
            if entity.get("type") == "primary" and entity.get("name") in self.keys
        ]
        for kind, entry in named:
            other = owners[kind].setdefault(entry.get("name", ""), model["name"])
            if other != model["name"]:
                yield _at(
                    entry, "name", name, f"The {kind} '{entry.get('name')}' stands in '{other}' already.", model
                )  # fmt: skip
        if not any(kind == "key" for kind, _ in named) and model.get("primary_entity") in self.keys:
            yield _at(
                model, "primary_entity", name, "What others point at is an entity of its own."
            )

    # Clearance

    def _of_tier(self, model: Mapping[str, Any]) -> Iterator[Problem]:
        """That rows which have a tier say so, or they would be shown to everybody."""
        name, table = f"model {model['name']}", table_of(model) if model.get("model") else ""
        own = [d for d in _parts(model, "dimensions") if d.get("name") == TIER]
        columns = self.tables.get(table, ())
        if model is self._policies:
            return
        if TIER_KEY not in columns and TIER_CODE not in columns:
            for dimension in own:
                message = f"'{TIER}' is the word of clearances: it is what '{TIER_KEY}' leads to, or {TIER_CODE}."
                yield _at(dimension, "name", name, message, model)
        if TIER_KEY in columns:
            if not any(_is(e, "foreign", TIER_KEY) for e in _parts(model, "entities")):
                yield _at(
                    model, "entities", name,
                    f"Rows of {table} have a tier, and clearances need it: {{name: {TIER_KEY}, type: foreign}}.",
                )  # fmt: skip
            for dimension in own:
                message = f"'{TIER}' is what the key '{TIER_KEY}' leads to."
                yield _at(dimension, "name", name, message, model)
        elif TIER_CODE in columns:
            if not any(d.get("type") == "categorical" and d.get("expr") == TIER_CODE for d in own):
                yield _at(
                    model, "dimensions", name,
                    f"Rows of {table} have a tier, and clearances need it: {{name: {TIER}, type: categorical, expr:"
                    f" {TIER_CODE}}}.",
                )  # fmt: skip
        elif table in self._mixed:
            yield _at(
                model, "model", name,
                f"Rows of {table} are sums over all tiers, which no clearance can take apart: use the fact, or a rollup"
                " by tier.",
            )  # fmt: skip
        yield from self._of_tiers_of_rollups(
            model, name, has_tier={TIER_KEY, TIER_CODE} & {*columns}
        )

    def _of_tiers_of_rollups(
        self, model: Mapping[str, Any], name: str, *, has_tier: Collection[str]
    ) -> Iterator[Problem]:
        for rollup in _rollups(model):
            written = (rollup.get("slices") or {}).get(TIER)
            columns = self.tables.get(rollup["table"], ())
            if has_tier and written not in (None, TIER_CODE):
                yield _at(
                    rollup, "slices", name, f"'{TIER}' of a rollup is its column {TIER_CODE}.", model
                )  # fmt: skip
            elif not has_tier and (TIER_CODE in columns or rollup["table"] in self._mixed):
                yield _at(
                    rollup, "table", name,
                    f"{rollup['table']} has rows of all tiers, and '{model['name']}' has no tier.", model,
                )  # fmt: skip

    @cached_property
    def _policies(self) -> Mapping[str, Any] | None:
        """The semantic model of the tiers themselves."""
        return next((m for m in self.models if primary_entity(m) == TIER_KEY), None)

    @cached_property
    def _mixed(self) -> set[str]:
        """The rollups that add up rows of all tiers."""
        return {
            rollup["table"]
            for model in self.models
            if any(_is(e, "foreign", TIER_KEY) for e in _parts(model, "entities"))
            for rollup in _rollups(model)
            if TIER_CODE not in self.tables.get(rollup["table"], ())
        }

    # Metrics

    @cached_property
    def _slices_of_project(self) -> set[Any]:
        return {
            dimension.get("name")
            for model in self.models
            if _is_of_project(model)
            for dimension in _parts(model, "dimensions")
        }

    def _of_metric(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        name = metric["name"]
        yield from self._named(metric, metric, name)
        if _is_column(name) or name in self._slices_of_project:
            yield _at(
                metric, "name", name, f"'{name}' is what an answer calls a column of its own."
            )
        if not (metric.get("description") or "").strip():
            yield _at(metric, "description", name, f"'{name}' needs a description: what it means.")
        yield from self._of_meta(metric)
        yield from self._of_inputs(metric)
        if metric["type"] == "cumulative":
            yield from self._of_span(metric)

    def _of_meta(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        config = metric.get("config") or {}
        meta = config.get("meta") or {}
        accepted = {"direction": DIRECTIONS, "clearance": self.definitions.clearances}
        missing = [key for key in _META if meta.get(key) is None]
        if missing:
            needs = ", ".join(f"{key}: ..." for key in missing)
            yield _at(
                meta or config or metric, "" if meta or config else "config", metric["name"],
                f"'{metric['name']}' needs `config: {{meta: {{{needs}}}}}`.", metric,
            )  # fmt: skip
        for key in {*_META} - {*missing}:
            value = meta[key]
            if not isinstance(value, str) or not value.strip():
                message = f"'{key}' is a text, not {shown(value)}."
                yield _at(meta, key, metric["name"], message, metric)
            elif key in accepted and value not in accepted[key]:
                yield _at(
                    meta, key, metric["name"],
                    f"'{key}' is one of {', '.join(accepted[key])}, not {shown(value)}.", metric,
                )  # fmt: skip

    def _of_inputs(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        """That all that a metric names is there."""
        name, parameters = metric["name"], metric["type_params"]
        for key in ("measure", "numerator", "denominator", "metrics"):
            kind, known = ("measure", self.measures) if key == "measure" else ("metric", self.known)
            written = parameters.get(key) or []
            for part in written if isinstance(written, list) else [written]:
                named = input_of(part)["name"]
                place, word = (part, "name") if isinstance(part, Mapping) else (parameters, key)
                if named not in known:
                    message = f"There is no {kind} '{named}'.{suggestion(named, known)}"
                    yield _at(place, word, name, message, metric)
                if isinstance(part, Mapping):
                    yield from self._of_input(part, metric)
        called = Counter(
            part.get("alias") or part["name"]
            for part in map(input_of, parameters.get("metrics") or ())
        )
        for word, times in called.items():
            if times > 1:
                message = f"Two inputs are called '{word}': give each an alias of its own."
                yield _at(parameters, "metrics", name, message, metric)

    @staticmethod
    def _of_input(written: Mapping[str, Any], metric: Mapping[str, Any]) -> Iterator[Problem]:
        name = metric["name"]
        alias, window, grain = map(written.get, ("alias", "offset_window", "offset_to_grain"))
        if alias is not None and not _is_name(alias):
            message = f"'alias' is a name as others are, not {shown(alias)}."
            yield _at(written, "alias", name, message, metric)
        if window is not None and not _WINDOW.fullmatch(window):
            message = _no_window("offset_window", window)
            yield _at(written, "offset_window", name, message, metric)
        if grain is not None and grain not in GRAINS[2:]:
            message = _no_grain("offset_to_grain", grain)
            yield _at(written, "offset_to_grain", name, message, metric)

    def _of_span(self, metric: Mapping[str, Any]) -> Iterator[Problem]:
        """That a cumulative metric runs over something that there is."""
        name, parameters = metric["name"], metric["type_params"]
        place = parameters.get("cumulative_type_params") or parameters
        span = cumulative_of(metric)
        window, to_date, aggregation = map(span.get, ("window", "grain_to_date", "period_agg"))
        if window is not None and not _WINDOW.fullmatch(window):
            yield _at(place, "window", name, _no_window("window", window), metric)
        if to_date is not None and to_date not in GRAINS[2:]:
            yield _at(place, "grain_to_date", name, _no_grain("grain_to_date", to_date), metric)
        if window is not None and to_date is not None:
            message = "'window' and 'grain_to_date' are two spans: use one."
            yield _at(place, "grain_to_date", name, message, metric)
        if aggregation is not None and aggregation != "last":
            message = f"'period_agg' is last: a period is told by its last day, not by {shown(aggregation)}."
            yield _at(place, "period_agg", name, message, metric)

    def _circles(self) -> Iterator[Problem]:
        """Metrics that are made of themselves."""
        inputs = {
            name: [each["name"] for each in metric_inputs(metric)]
            for name, metric in _by_name(self.metrics).items()
        }
        for metric in self.metrics:
            name = metric["name"]
            pending, seen = [*inputs[name]], {*inputs[name]}
            while pending and name not in seen:
                reached = [each for each in inputs.get(pending.pop(), ()) if each not in seen]
                pending += reached
                seen.update(reached)
            if name in seen:
                yield _at(metric, "type_params", name, f"'{name}' is made of itself.")

    # Names

    @staticmethod
    def _duplicates(kind: str, entries: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
        first: dict[str, Mapping[str, Any]] = {}
        for entry in entries:
            other = first.setdefault(entry["name"], entry)
            if other is not entry:
                yield _at(
                    entry, "name", "", f"There is a {kind} '{entry['name']}' already, in {other['declared_in']}."
                )  # fmt: skip

    @staticmethod
    def _named(
        entry: Mapping[str, Any], owner: Mapping[str, Any], metric: str
    ) -> Iterator[Problem]:
        name = entry.get("name")
        if not _is_name(name):
            yield _at(
                entry, "name", metric,
                f"A name is made of a-z, 0-9 and single _, begins with a letter and has at most {_LONGEST_NAME} of"
                f" them; not {shown(name)}.", owner,
            )  # fmt: skip


def _at(
    entry: Any, key: str, metric: str, message: str, owner: Mapping[str, Any] | None = None
) -> Problem:
    """A problem at a key of an entry, or at the entry where it does not have the key."""
    place = str((owner or entry)["declared_in"])
    file, _, line = place.rpartition(":")
    if isinstance(entry, Entry):
        line = str(entry.lines.get(key, entry.line))
    return Problem(file, int(line), message, metric, place)


def _parts(model: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    return list(model.get(part) or ())


def _is_column(name: Any) -> bool:
    """Whether an answer has a column of this name beside metrics and slices."""
    return name in _RESERVED or str(name).endswith(_SUFFIXES)


def _is_of_project(model: Mapping[str, Any]) -> bool:
    return str(model.get("declared_in", "")).startswith(f"{PROJECT_FOLDER}/")


def _named_measures(model: Mapping[str, Any]) -> Iterator[str]:
    """The names of a model's measures, whatever else it is."""
    measures = model.get("measures")
    for measure in measures if isinstance(measures, list) else ():
        if isinstance(measure, Mapping) and isinstance(measure.get("name"), str):
            yield measure["name"]


def _rollups(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(((model.get("config") or {}).get("meta") or {}).get("rollups") or ())


def _is(entity: Mapping[str, Any], kind: str, column: str) -> bool:
    """Whether an entity is a column, under the column's own name."""
    return (
        entity.get("name") == column
        and entity.get("type") == kind
        and entity.get("expr") in (None, column)
    )


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and "__" not in name
        and len(name) <= _LONGEST_NAME
    )


def _no_window(key: str, value: str) -> str:
    return f"'{key}' is a number and a unit, e.g. `7 days`, not {shown(value)}."


def _no_grain(key: str, value: str) -> str:
    return f"'{key}' is one of {', '.join(GRAINS[2:])}, not {shown(value)}."
