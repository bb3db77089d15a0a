"""The definitions that MetricFlow compiles: those of the files, rewritten in its own words for one question.

MetricFlow knows nothing of clearances, of windows that begin within a minute, or of rollups. So every metric that reads
a table gets conditions, and a rollup, or facts that are summed before they are joined, takes the place of a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import (
    COUNTING,
    TIER,
    TIER_KEY,
    Catalogue,
    cumulative_of,
    filters_of,
    input_of,
    measures_of,
    metric_inputs,
    primary_entity,
    table_of,
    time_dimension,
)
from grace_dbt.metrics.definitions import TIME_SPINE
from grace_dbt.metrics.folding import Fold
from grace_dbt.metrics.prepared import (
    CLEARED,
    DAYS,
    KNOWN_SINCE,
    KNOWN_UNTIL,
    SINCE,
    UNTIL,
    VALUES,
    Dialect,
    Shape,
)
from grace_dbt.metrics.sources import rollups_of

# Rollups tell time in parts, whole numbers of eight bytes, of which PostgreSQL makes no timestamp.
_ROLLUP_TIMES: dict[Dialect, dict[str, str]] = {
    "duckdb": {
        "day": "make_timestamp(year, month, day, 0, 0, 0)",
        "hour": "make_timestamp(year, month, day, hour, 0, 0)",
    },
    "postgres": {
        "day": "make_timestamp(year::integer, month::integer, day::integer, 0, 0, 0)",
        "hour": "make_timestamp(year::integer, month::integer, day::integer, hour::integer, 0, 0)",
    },
}
DAY = "{{ TimeDimension('metric_time', 'day') }}"
_MEASURE = ("name", "agg", "expr", "agg_params", "agg_time_dimension", "non_additive_dimension")
# Where MetricFlow finds what is folded before it is joined.
FOLDED = "folded"


def manifest_of(catalogue: Catalogue, shape: Shape, folds: Sequence[Fold]) -> dict[str, Any]:
    """The definitions of the metrics of a shape, in MetricFlow's own form."""
    names = list(dict.fromkeys(n for metric in shape.metrics for n in catalogue.inputs(metric)))
    models = list(
        dict.fromkeys(m for metric in shape.metrics for m in catalogue.metrics[metric].models)
    )
    rollup = _rollup(catalogue, shape)
    summed: dict[str, Any] = dict(rollup["measures"]) if rollup is not None else {}
    summed |= {name: _parts(catalogue, name) for fold in folds for name in fold.measures}
    # What is folded has the window in it.
    in_window = bool(folds)
    metrics = [
        m
        for n in names
        for m in _metric(catalogue, shape, catalogue.declared[n], summed, in_window=in_window)
    ]
    if rollup is not None:
        semantic_models = [_rolled_up(catalogue.models[models[0]], rollup, shape)]
    else:
        folded = {fold.model: _folded(catalogue, fold) for fold in folds}
        facts = [catalogue.models[name] for name in models]
        keys = {e["name"] for m in facts for e in m.get("entities") or () if e["type"] == "foreign"}
        dimensions = [
            model
            for model in catalogue.definitions.semantic_models
            if primary_entity(model) in keys and model["name"] not in models
        ]
        semantic_models = [
            folded.get(each["name"])
            or _semantic_model(each, shape.dialect, by_day=shape.source.is_periodic)
            for each in (*facts, *dimensions)
        ]
    minutes = _relation(TIME_SPINE["table"], shape.dialect)
    spine = _folded_relation(TIME_SPINE["table"]) if shape.source.is_periodic else minutes
    return _complete(semantic_models, metrics, spine)


def _complete(
    semantic_models: list[dict[str, Any]], metrics: list[dict[str, Any]], calendar: dict[str, str]
) -> dict[str, Any]:
    """Definitions with a calendar."""
    spine = {"name": TIME_SPINE["column"], "time_granularity": TIME_SPINE["grain"]}
    return {
        "semantic_models": semantic_models,
        "metrics": metrics,
        "project_configuration": {
            "time_spines": [
                {
                    "node_relation": calendar,
                    "primary_column": spine,
                }
            ]
        },
    }


def _relation(table: str, dialect: Dialect) -> dict[str, str]:
    """Where a table is: in the snapshot, which is attached as `cube`, or in PostgreSQL's schema of that name."""
    schema = "cube.main" if dialect == "duckdb" else "cube"
    return {"alias": table, "schema_name": schema, "relation_name": f"{schema}.{table}"}


def _folded_relation(name: str) -> dict[str, str]:
    """Where something is that the same query folds first."""
    return {"alias": name, "schema_name": FOLDED, "relation_name": f"{FOLDED}.{name}"}


def _semantic_model(model: Mapping[str, Any], dialect: Dialect, *, by_day: bool) -> dict[str, Any]:
    """A semantic model as it is declared, if asked for with its times cut to days."""
    dimensions: list[dict[str, Any]] = []
    for each in model.get("dimensions") or ():
        written = _plain(each, "name", "type", "expr", "type_params")
        if each["type"] == "time":
            expression = each.get("expr") or each["name"]
            dimensions.append(_instant(each["name"], expression))
            if by_day:
                written["expr"] = f"date_trunc('day', {expression})"
                written["type_params"] = {"time_granularity": "day"}
        dimensions.append(written)
    return {
        "name": model["name"],
        "node_relation": _relation(table_of(model), dialect),
        "defaults": dict(model["defaults"]) if model.get("defaults") else None,
        "primary_entity": model.get("primary_entity"),
        "entities": [_plain(e, "name", "type", "expr") for e in model.get("entities") or ()],
        "dimensions": dimensions,
        "measures": [_plain(each, *_MEASURE) for each in model.get("measures") or ()],
    }


def _rolled_up(model: Mapping[str, Any], rollup: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """A semantic model over its rollup, under its own names: sums are summed there."""
    time = model["defaults"]["agg_time_dimension"]
    expression = _ROLLUP_TIMES[shape.dialect][rollup["grain"]]
    grain = rollup["grain"]
    if shape.source.is_periodic:
        expression, grain = f"date_trunc('day', {expression})", "day"
    slices = (rollup.get("slices") or {}).items()
    return {
        "name": model["name"],
        "node_relation": _relation(rollup["table"], shape.dialect),
        "defaults": {"agg_time_dimension": time},
        "primary_entity": primary_entity(model),
        "dimensions": [
            {
                "name": time,
                "type": "time",
                "expr": expression,
                "type_params": {"time_granularity": grain},
            },
            _instant(time, expression),
            *({"name": word, "type": "categorical", "expr": column} for word, column in slices),
        ],
        "measures": [
            {"name": name, "agg": "sum", "expr": expr}
            for measure, written in rollup["measures"].items()
            for name, expr in _summed(measure, written).items()
        ],
    }


def _folded(catalogue: Catalogue, fold: Fold) -> dict[str, Any]:
    """A semantic model over its folded facts, under its own names."""
    model = catalogue.models[fold.model]
    entity = primary_entity(model)
    # Without periods nothing asks for the time, which every semantic model has to have.
    time = f"metric_time__{fold.grain}" if fold.grain else "cast(null as timestamp)"
    return {
        "name": model["name"],
        "node_relation": _folded_relation(fold.model),
        "defaults": {"agg_time_dimension": fold.time},
        "primary_entity": entity,
        "entities": [{"name": key, "type": "foreign"} for key in fold.keys],
        "dimensions": [
            {
                "name": fold.time,
                "type": "time",
                "expr": time,
                "type_params": {"time_granularity": fold.grain or "day"},
            },
            *(
                {"name": word, "type": "categorical", "expr": f"{entity}__{word}"}
                for word in fold.slices
            ),
        ],
        "measures": [
            {"name": part, "agg": agg, "expr": part}
            for measure, agg in fold.measures.items()
            for part in _summed(measure, _parts(catalogue, measure))
        ],
    }


def folding_of(
    catalogue: Catalogue, shape: Shape, fold: Fold
) -> tuple[dict[str, Any], list[str], list[str]]:
    """What folds facts: definitions, the metrics that are asked for, and by what."""
    model = catalogue.models[fold.model]
    parts: list[dict[str, Any]] = []
    for measure in fold.measures:
        declared = _plain(catalogue.measures[measure][1], *_MEASURE)
        if declared["agg"] != "average":
            parts.append(declared)
            continue
        expression = declared.get("expr") or measure
        parts += [
            {**declared, "name": _part(agg, measure), "agg": agg, "expr": expression}
            for agg in ("sum", "count")
        ]
    window = _window(shape, primary_entity(model), fold.time)
    metrics: list[dict[str, Any]] = [
        {
            "name": part["name"],
            "type": "simple",
            "type_params": {"measure": part["name"]},
            "filter": window or None,
        }
        for part in parts
    ]
    facts = {**_semantic_model(model, shape.dialect, by_day=False), "measures": parts}
    manifest = _complete([facts], metrics, _relation(TIME_SPINE["table"], shape.dialect))
    slices = [f"{primary_entity(model)}__{word}" for word in fold.slices]
    period = [f"metric_time__{fold.grain}"] if fold.grain else []
    names = [metric["name"] for metric in metrics]
    return manifest, names, [*fold.keys, *slices, *period]


def days_of(shape: Shape) -> str:
    """The SQL of the days of the calendar, which holds whole days: what looks back is told by the day.

    Hidden rows may have made the calendar longer; a clearance is told of no more days than it may know of.
    """
    time, table = (
        TIME_SPINE["column"],
        _relation(TIME_SPINE["table"], shape.dialect)["relation_name"],
    )
    known = f" AND {time} >= ${KNOWN_SINCE} AND {time} < ${KNOWN_UNTIL}" if shape.is_cleared else ""
    return f"SELECT {time} FROM {table} WHERE {time} = DATE_TRUNC('day', {time}){known}"


def _parts(catalogue: Catalogue, measure: str) -> str | dict[str, str]:
    """What a fold holds of a measure: itself, or what an average is made of."""
    if catalogue.measures[measure][1]["agg"] != "average":
        return measure
    return {part: _part(part, measure) for part in ("sum", "count")}


def _summed(measure: str, written: Any) -> dict[str, str]:
    """What is summed for a measure: itself, or what an average is made of."""
    if isinstance(written, str):
        return {measure: written}
    return {_part("sum", measure): written["sum"], _part("count", measure): written["count"]}


def _part(part: str, measure: str) -> str:
    return f"{part}_within_{measure}"


def _instant(time: str, expression: str) -> dict[str, Any]:
    """A time as it is stored: windows begin and end at a microsecond, and MetricFlow's own times at a minute."""
    return {"name": f"instant_of_{time}", "type": "categorical", "expr": expression}


def _metric(
    catalogue: Catalogue,
    shape: Shape,
    declared: Mapping[str, Any],
    summed: Mapping[str, Any],
    *,
    in_window: bool,
) -> list[dict[str, Any]]:
    """A metric as it is compiled; an average over sums becomes the sum over the count.

    Args:
        catalogue: All metrics.
        shape: What is asked for.
        declared: The metric.
        summed: What a rollup or a fold has of each measure; empty where facts are read.
        in_window: Whether what is read lies in the window.
    """
    name, kind = declared["name"], declared["type"]
    parameters = {key: _plain_value(value) for key, value in declared["type_params"].items()}
    measures = measures_of(declared)
    metric = {
        "name": name,
        "type": kind,
        "type_params": parameters,
        "filter": filters_of(declared) or None,
    }
    if not measures:
        for part in ("numerator", "denominator"):
            if parameters.get(part):
                # MetricFlow tells two inputs of one name apart by their alias alone.
                parameters[part] = {"alias": f"{part}_of_{name}", **input_of(parameters[part])}
        if parameters.get("metrics"):
            parameters["metrics"] = metric_inputs(declared)
        return [metric]
    guards = _guards(catalogue, shape, measures[0], in_window=in_window)
    metric["filter"] = [*filters_of(declared), *guards] or None
    if catalogue.measures[measures[0]][1]["agg"] in COUNTING:
        # Of a ratio over two tables, nothing in the one is 0 for each of the other.
        parameters["measure"] = {"fill_nulls_with": 0, **input_of(parameters["measure"])}
    if kind == "cumulative":
        parameters["cumulative_type_params"] = dict(cumulative_of(declared))
        parameters.pop("window", None)
        parameters.pop("grain_to_date", None)
        if shape.grain != "day":
            # MetricFlow takes the last day that has rows, and be it one of the week before.
            last = f"{DAY} = any(cast(${DAYS} as timestamp[]))"
            metric["filter"] = [*(metric["filter"] or ()), last]
    if not summed or isinstance(summed[measures[0]], str):
        return [metric]
    # Two metrics of one measure may have conditions of their own, so the parts are called after the metric.
    sums = [
        {
            **metric,
            "name": _part(part, name),
            "type_params": {**parameters, "measure": _part(part, measures[0])},
        }
        for part in ("sum", "count")
    ]
    ratio = {
        "numerator": {"name": _part("sum", name)},
        "denominator": {"name": _part("count", name)},
    }
    return [*sums, {"name": name, "type": "ratio", "type_params": ratio}]


def _guards(catalogue: Catalogue, shape: Shape, measure: str, *, in_window: bool) -> list[str]:
    """Conditions on what is read at all: the tiers of the clearance, the filters, and the window.

    They are asked before anything is put together: a rate is never one of other rates.
    """
    model_name, declared = catalogue.measures[measure]
    model = catalogue.models[model_name]
    entity = primary_entity(model)
    guards = []
    slices = catalogue.slices_of_model(model_name)
    if shape.is_cleared and TIER in slices:
        tier = f"{entity}__{TIER}" if shape.source.rollup else slices[TIER].qualified
        if not shape.source.rollup and _has_tier_key(model):
            tier = f"{TIER_KEY}__{TIER}"
        guards.append(f"{{{{ Dimension('{tier}') }}}} = any(${CLEARED})")
    elif shape.is_cleared and _has_tier_key(model):
        raise GraceError(
            "Of which tier a row is can't be told: the semantic model of tiers is missing.",
            "Run: grace-dbt metrics validate",
            ExitCode.BAD,
        )
    for place, wanted in enumerate(shape.filters):
        word = wanted[0]
        slice_ = f"{entity}__{word}" if shape.source.rollup else slices[word].qualified
        guards.append(_condition(slice_, place, wanted))
    if not in_window:
        guards += _window(shape, entity, time_dimension(model, declared))
    return guards


def _condition(slice_: str, place: int, wanted: tuple[str, bool, bool, bool]) -> str:
    """One filter; a value is compared as text, so that none is of the wrong type."""
    _, has_values, has_null, negated = wanted
    column = f"cast({{{{ Dimension('{slice_}') }}}} as varchar)"
    alternatives = [f"{column} = any(${VALUES}{place})"] if has_values else []
    alternatives += [f"{column} is null"] if has_null else []
    condition = " or ".join(alternatives)
    # What is not known is none of the values, and so is one of all others.
    return f"not coalesce(({condition}), false)" if negated else f"({condition})"


def _has_tier_key(model: Mapping[str, Any]) -> bool:
    return any(entity["name"] == TIER_KEY for entity in model.get("entities") or ())


def _window(shape: Shape, entity: str, time: str) -> list[str]:
    """Conditions that keep what is in the window; a metric that looks back has to see what is before it."""
    if shape.source.is_periodic:
        return []
    instant = f"{{{{ Dimension('{entity}__instant_of_{time}') }}}}"
    since = [f"{instant} >= ${SINCE}"] if shape.has_since else []
    return since + ([f"{instant} < ${UNTIL}"] if shape.has_until else [])


def _rollup(catalogue: Catalogue, shape: Shape) -> Mapping[str, Any] | None:
    if shape.source.rollup is None:
        return None
    metric = catalogue.metrics[shape.metrics[0]]
    return next(r for r in rollups_of(catalogue, metric) if r["table"] == shape.source.rollup)


def _plain(entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: _plain_value(entry[key]) for key in keys if entry.get(key) is not None}


def _plain_value(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
