"""A metric as the commands tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grace_dbt.metrics.catalogue import Metric


def described(metric: Metric) -> dict[str, Any]:
    """All that is known of a metric, in values that JSON has."""
    return {
        "name": metric.name,
        "label": metric.label,
        "description": metric.description,
        "type": metric.type,
        "formula": metric.formula,
        "unit": metric.unit,
        "direction": metric.direction,
        "owner": metric.owner,
        "clearance": metric.clearance,
        "slices": {name: each.description for name, each in metric.slices.items()},
        "grains": list(metric.grains),
        "semantic_models": list(metric.models),
        "rollups": list(metric.rollups),
        "declared_in": metric.declared_in,
    }
