"""A request in SQL, by MetricFlow; values never stand in it: they are bound."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import Catalogue, primary_entity
from grace_dbt.metrics.definitions import TIME_SPINE
from grace_dbt.metrics.folding import folds_of
from grace_dbt.metrics.manifests import FOLDED, days_of, folding_of, manifest_of
from grace_dbt.metrics.prepared import SINCE, UNTIL, Dialect, Shape


@dataclass(frozen=True)
class Compiled:
    """SQL, and what its columns are called.

    Attributes:
        sql: One SELECT with named parameters.
        period: Its column of periods; None without.
        slices: Its column of each slice, by word.
    """

    sql: str
    period: str | None
    slices: Mapping[str, str]


def compile_shape(catalogue: Catalogue, shape: Shape) -> Compiled:
    """Have MetricFlow write the SQL.

    Raises:
        GraceError: MetricFlow can't; exit code 1: what is defined does not hold together.
    """
    qualified = _qualified(catalogue, shape)
    group_by = [qualified[word] for word in shape.by]
    period = f"metric_time__{shape.grain}" if shape.grain else None
    where = []
    if shape.source.is_periodic:
        # By the period and not by the day, or MetricFlow would make each day's own rate first.
        told = f"{{{{ TimeDimension('metric_time', '{shape.grain}') }}}}"
        where += [f"{told} >= ${SINCE}"] if shape.has_since else []
        where += [f"{told} < ${UNTIL}"] if shape.has_until else []
    folds = folds_of(catalogue, shape)
    sql = _explain(
        manifest_of(catalogue, shape, folds),
        shape.dialect,
        shape.metrics,
        [*group_by, *([period] if period else [])],
        where,
    )
    folding = {}
    for fold in folds:
        manifest, metrics, keys = folding_of(catalogue, shape, fold)
        folding[fold.model] = _explain(manifest, shape.dialect, metrics, keys, [])
    if shape.source.is_periodic:
        folding[TIME_SPINE["table"]] = days_of(shape)
    return Compiled(
        _with_folded(sql, folding) if folding else sql,
        period,
        {word: qualified[word] for word in shape.by},
    )


def _qualified(catalogue: Catalogue, shape: Shape) -> dict[str, str]:
    """MetricFlow's name of each slice that the shape's metrics have."""
    metric = catalogue.metrics[shape.metrics[0]]
    if shape.source.rollup:
        entity = primary_entity(catalogue.models[metric.models[0]])
        return {word: f"{entity}__{word}" for word in metric.slices}
    return {word: each.qualified for word, each in metric.slices.items()}


def _with_folded(sql: str, folding: Mapping[str, str]) -> str:
    """SQL over what is folded, with what folds it."""
    written = []
    for name, inner in folding.items():
        sql = re.sub(rf"\b{FOLDED}\.{name}\b", f"{FOLDED}_{name}", sql)
        written.append(f"{FOLDED}_{name} AS (\n{inner}\n)")
    return f"WITH {', '.join(written)}\nSELECT * FROM (\n{sql}\n) AS answered"


class _Client:
    """What MetricFlow asks of a database that it only writes SQL for."""

    def __init__(self, dialect: Dialect) -> None:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
        from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer

        is_duckdb = dialect == "duckdb"
        self.sql_engine_type = SqlEngine.DUCKDB if is_duckdb else SqlEngine.POSTGRES
        self.sql_plan_renderer = (
            DuckDbSqlPlanRenderer() if is_duckdb else PostgresSQLSqlPlanRenderer()
        )

    @staticmethod
    def render_bind_parameter_key(key: str) -> str:
        return f"${key}"


def _explain(
    manifest: Mapping[str, Any],
    dialect: Dialect,
    metrics: Sequence[str],
    group_by: Sequence[str],
    where: Sequence[str],
) -> str:
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow_semantic_interfaces.implementations.semantic_manifest import (
        PydanticSemanticManifest,
    )
    from metricflow_semantic_interfaces.transformations.semantic_manifest_transformer import (
        PydanticSemanticManifestTransformer,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    # It tells of each attempt with a traceback; what is wrong is told by the error.
    logging.getLogger("metricflow").setLevel(logging.CRITICAL)
    logging.getLogger("metricflow_semantics").setLevel(logging.CRITICAL)
    try:
        parsed = PydanticSemanticManifestTransformer.transform(
            PydanticSemanticManifest.parse_obj(manifest)
        )
        engine = MetricFlowEngine(SemanticManifestLookup(parsed), _Client(dialect))  # type: ignore[arg-type]
        request = MetricFlowQueryRequest.create(
            metric_names=list(metrics),
            group_by_names=list(group_by),
            where_constraints=list(where) or None,
        )
        return str(engine.explain(request).sql_statement.sql)
    except Exception as error:  # MetricFlow raises many kinds, all of them about what is defined
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise GraceError(
            f"{', '.join(metrics)} can't be computed: {lines[0] if lines else type(error).__name__}",
            "Run: grace-dbt metrics validate",
            ExitCode.BAD,
        ) from error
