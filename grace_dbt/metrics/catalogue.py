"""The metrics by name: what each means, who may read it, and what it can be cut by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.metrics.periods import GRAINS, Grain
from grace_dbt.metrics.shapes import SLICE

DIRECTIONS = ("up", "down", "neutral")
# Aggregations of nothing that are 0; any other is unknown.
COUNTING = ("count", "sum", "sum_boolean", "count_distinct")
# The word for the slice that clearance is about, and the key that leads to it.
TIER, TIER_KEY = "tier", "tier_key"


@dataclass(frozen=True)
class Slice:
    """One thing that metrics can be cut by.

    Attributes:
        name: The word of `--by` and `--where`.
        qualified: Its name in MetricFlow: the entity that leads to it, two underscores, the name.
        description: What it says.
    """

    name: str
    qualified: str
    description: str


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: By which it is asked for.
        label: Its name on paper.
        description: What it means.
        type: MetricFlow's type: simple, ratio, derived or cumulative.
        owner: Group that answers for it.
        unit: What its values are counted in, e.g. count, ratio, seconds.
        direction: Whether more is better: up, down or neutral.
        clearance: Code of the least tier that may read it.
        formula: How it is computed, in one line.
        models: Semantic models that it stands on.
        slices: What it can be cut by, by word.
        rollups: Tables that may answer in the place of the facts.
        is_periodic: Whether each value looks beyond its own period (rolling, to date, offset), so that it has no
            meaning without a period.
        is_count: Whether it is 0, and not unknown, where nothing happened.
        declared_in: File and line.
    """

    name: str
    label: str
    description: str
    type: str
    owner: str
    unit: str
    direction: str
    clearance: str
    formula: str
    models: tuple[str, ...]
    slices: Mapping[str, Slice]
    rollups: tuple[str, ...]
    is_periodic: bool
    is_count: bool
    declared_in: str

    @property
    def grains(self) -> tuple[Grain, ...]:
        """Lengths of the periods that it can be told for."""
        return GRAINS[GRAINS.index("day") :] if self.is_periodic else GRAINS


class Catalogue:
    """All metrics of some definitions."""

    def __init__(self, definitions: Definitions) -> None:
        """Index the definitions, which hold together."""
        self.definitions = definitions
        self.models: dict[str, Mapping[str, Any]] = {
            m["name"]: m for m in definitions.semantic_models
        }
        self.measures: dict[str, tuple[str, Mapping[str, Any]]] = {
            measure["name"]: (model["name"], measure)
            for model in definitions.semantic_models
            for measure in model.get("measures") or ()
        }
        self.declared: dict[str, Mapping[str, Any]] = {m["name"]: m for m in definitions.metrics}

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """Every metric, by name in the order of the alphabet."""
        return {name: self._metric(self.declared[name]) for name in sorted(self.declared)}

    @property
    def highest(self) -> str:
        """The clearance that reads everything."""
        return self.definitions.clearances[-1]

    def cleared_for(self, clearance: str | None) -> tuple[str, ...]:
        """The tiers that a clearance reads, its own included; None is the highest.

        Raises:
            GraceError: There is no such clearance.
        """
        known = self.definitions.clearances
        if clearance is None:
            return known
        if clearance not in known:
            raise GraceError(
                f"There is no clearance '{clearance}'.",
                f"Known are {', '.join(known)}.",
                ExitCode.USAGE,
            )
        return known[: known.index(clearance) + 1]

    def visible(self, clearance: str | None) -> dict[str, Metric]:
        """The metrics that exist for a clearance."""
        cleared = self.cleared_for(clearance)
        return {
            name: metric for name, metric in self.metrics.items() if metric.clearance in cleared
        }

    def metric(self, name: str, clearance: str | None) -> Metric:
        """One metric.

        Raises:
            GraceError: For this clearance there is none of that name.
        """
        metric = self.metrics.get(name)
        if metric is None or metric.clearance not in self.cleared_for(clearance):
            raise GraceError(
                f"There is no metric '{name}'.",
                _did_you_mean(name, self.visible(clearance)) or "Run: grace-dbt metrics list",
                ExitCode.USAGE,
            )
        return metric

    def slice_of(self, metric: Metric, word: str) -> Slice:
        """What a metric is cut by under a word.

        Raises:
            GraceError: It can't be cut by that.
        """
        if word not in metric.slices:
            raise GraceError(
                f"'{metric.name}' can't be cut by '{word}'.",
                _did_you_mean(word, metric.slices)
                or f"By: {', '.join(metric.slices) or 'nothing'}.",
                ExitCode.USAGE,
            )
        return metric.slices[word]

    def simple_inputs(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The metrics right over a measure that a metric is made of, itself included where it is one."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            metric = self.declared[pending.pop()]
            if metric["name"] in seen:
                continue
            seen.add(metric["name"])
            if measures_of(metric):
                yield metric
            pending += [each["name"] for each in metric_inputs(metric)]

    def inputs(self, name: str) -> Iterator[str]:
        """A metric and all metrics that it is made of."""
        seen = [name]
        for each in seen:
            yield each
            seen += [i["name"] for i in metric_inputs(self.declared[each]) if i["name"] not in seen]

    def slices_of_model(self, name: str) -> dict[str, Slice]:
        """What a semantic model can be cut by: its own dimensions, and those that its keys lead to."""
        model = self.models[name]
        found = {s.name: s for s in _own_slices(model, primary_entity(model))}
        owners: dict[str, Mapping[str, Any]] = {}
        for other in self.definitions.semantic_models:
            owners.setdefault(primary_entity(other), other)
        for entity in model.get("entities") or ():
            owner = owners.get(entity["name"])
            if entity["type"] == "foreign" and owner is not None:
                for each in _own_slices(owner, entity["name"]):
                    found.setdefault(each.name, each)
        return found

    def _metric(self, declared: Mapping[str, Any]) -> Metric:
        meta = (declared.get("config") or {}).get("meta") or {}
        simple = list(self.simple_inputs(declared["name"]))
        measures = [self.measures[name] for metric in simple for name in measures_of(metric)]
        models = tuple(dict.fromkeys(model for model, _ in measures))
        return Metric(
            name=declared["name"],
            label=declared.get("label") or declared["name"],
            description=declared.get("description") or "",
            type=declared["type"],
            owner=meta["owner"],
            unit=meta["unit"],
            direction=meta["direction"],
            clearance=meta["clearance"],
            formula=self._formula(declared),
            models=models,
            slices=self._common_slices(models),
            rollups=tuple(r["table"] for r in self.rollups_of(declared["name"], models)),
            is_periodic=any(
                map(looks_back, map(self.declared.__getitem__, self.inputs(declared["name"])))
            ),
            is_count=declared["type"] in ("simple", "cumulative")
            and all(measure["agg"] in COUNTING for _, measure in measures),
            declared_in=declared.get("declared_in", ""),
        )

    def rollups_of(self, name: str, models: tuple[str, ...]) -> list[Mapping[str, Any]]:
        """The rollups that have all that a metric is made of, by the time that it is told by, without a condition."""
        if len(models) != 1 or any(
            conditions_of(self.declared[each]) for each in self.inputs(name)
        ):
            return []
        meta = (self.models[models[0]].get("config") or {}).get("meta") or {}
        measures = [m for each in self.simple_inputs(name) for m in measures_of(each)]
        if any(self.measures[each][1].get("agg_time_dimension") for each in measures):
            return []
        return [r for r in meta.get("rollups") or () if {*measures} <= {*r["measures"]}]

    def _common_slices(self, models: tuple[str, ...]) -> dict[str, Slice]:
        """What all of these models can be cut by, under one name and by one key."""
        first, *others = [self.slices_of_model(model) for model in models] or [{}]
        return {
            word: each
            for word, each in sorted(first.items())
            if all(other.get(word) and other[word].qualified == each.qualified for other in others)
        }

    def _formula(self, declared: Mapping[str, Any]) -> str:
        parameters = declared.get("type_params") or {}
        kind = declared["type"]
        if kind == "ratio":
            text = " / ".join(
                f"({told})" if " " in (told := _told(parameters[part])) else told
                for part in ("numerator", "denominator")
            )
        elif kind == "derived":
            aliases = {each.get("alias"): _told(each) for each in metric_inputs(declared)}
            told = ", ".join(f"{alias} is {each}" for alias, each in aliases.items() if alias)
            text = "; ".join(filter(None, [str(parameters.get("expr")), told]))
        else:
            measure = input_of(parameters["measure"])
            text = self._measured(measure["name"]) + _where(measure)
            if kind == "cumulative":
                text += f", {_span(cumulative_of(declared))}"
        return text + _where(declared)

    def _measured(self, name: str) -> str:
        model, measure = self.measures[name]
        aggregation = measure["agg"]
        if aggregation == "percentile":
            share = (measure.get("agg_params") or {}).get("percentile")
            aggregation = f"percentile {share}"
        table = table_of(self.models[model])
        return f"{aggregation}({measure.get('expr') or name}) of {table}"


def _told(written: Any) -> str:
    """An input of a metric, in words."""
    each = input_of(written)
    window, grain = each.get("offset_window"), each.get("offset_to_grain")
    offset = f" {window} before" if window else f" at the beginning of the {grain}" if grain else ""
    return f"{each['name']}{offset}{_where(each)}"


def _where(written: Mapping[str, Any]) -> str:
    """The conditions of a metric or an input, with slices as one asks for them."""
    conditions = [
        SLICE.sub(lambda found: found["name"].rpartition("__")[2], text)
        for text in filters_of(written)
    ]
    if len(conditions) > 1:
        conditions = [f"({text})" for text in conditions]
    return f" where {' and '.join(conditions)}" if conditions else ""


def table_of(model: Mapping[str, Any]) -> str:
    """The published table of a semantic model, which names it as dbt does: `ref('table')`."""
    return str(model["model"]).strip().removeprefix("ref(").removesuffix(")").strip().strip("'\"")


def primary_entity(model: Mapping[str, Any]) -> str:
    """The entity whose key is the model's own."""
    for entity in model.get("entities") or ():
        if entity.get("type") == "primary":
            return str(entity["name"])
    return str(model.get("primary_entity") or "")


def time_dimension(model: Mapping[str, Any], measure: Mapping[str, Any]) -> str:
    """By which time a measure is told."""
    own = measure.get("agg_time_dimension")
    return str(own or (model.get("defaults") or {}).get("agg_time_dimension") or "")


def input_of(written: Any) -> dict[str, Any]:
    """An input of a metric, which dbt takes as a name or as a mapping."""
    return {"name": written} if isinstance(written, str) else dict(written)


def metric_inputs(metric: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics that a metric is made of."""
    parameters = metric.get("type_params") or {}
    written = [parameters.get("numerator"), parameters.get("denominator")]
    written += parameters.get("metrics") or []
    return [input_of(each) for each in written if each]


def measures_of(metric: Mapping[str, Any]) -> list[str]:
    """The measure that a metric is right over, if it is over one and not over other metrics."""
    written = (metric.get("type_params") or {}).get("measure")
    return [input_of(written)["name"]] if written else []


def cumulative_of(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """Over what a cumulative metric runs."""
    parameters = metric.get("type_params") or {}
    return parameters.get("cumulative_type_params") or {
        key: parameters[key] for key in ("window", "grain_to_date") if parameters.get(key)
    }


def filters_of(written: Mapping[str, Any]) -> list[str]:
    """The conditions of a metric, of an input or of a measure, which dbt takes as one text or as a list."""
    condition = written.get("filter")
    if not condition:
        return []
    return [condition] if isinstance(condition, str) else list(condition)


def conditions_of(metric: Mapping[str, Any]) -> list[str]:
    """The conditions of a metric, of its inputs and of its measure."""
    measure = (metric.get("type_params") or {}).get("measure")
    parts = [metric, *metric_inputs(metric), *([input_of(measure)] if measure else [])]
    return [text for part in parts for text in filters_of(part)]


def looks_back(metric: Mapping[str, Any]) -> bool:
    """Whether a metric itself reads more than the period that it is told for."""
    offsets = ("offset_window", "offset_to_grain")
    return metric["type"] == "cumulative" or any(
        each.get(key) for each in metric_inputs(metric) for key in offsets
    )


def _own_slices(model: Mapping[str, Any], entity: str) -> Iterator[Slice]:
    for dimension in model.get("dimensions") or ():
        if dimension["type"] == "categorical":
            name = dimension["name"]
            yield Slice(name, f"{entity}__{name}", dimension.get("description") or "")


def _span(window: Mapping[str, Any]) -> str:
    if window.get("window"):
        return f"over the last {window['window']}"
    if window.get("grain_to_date"):
        return f"since the beginning of the {window['grain_to_date']}"
    return "since the beginning"


def _did_you_mean(word: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(word, known, n=3)
    return f"Did you mean {' or '.join(close)}?" if close else ""
