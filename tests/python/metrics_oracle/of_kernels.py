"""Key metrics of the kernels, over the readings of their marts."""

from __future__ import annotations

from metrics_oracle.meanings import Meaning, Over, Test

ingress = Over("kernel_ingress")
intelligence = Over("kernel_intelligence")
learning = Over("kernel_learning")
memory = Over("kernel_memory")
orchestration = Over("kernel_orchestration")
resilience = Over("kernel_resilience")


def _is(column: str) -> tuple[Test, str]:
    return (lambda row: row[column] is True), f"f.{column}"


def _is_known(column: str) -> tuple[Test, str]:
    return (lambda row: row[column] is not None), f"f.{column} in (true, false)"


METRICS: dict[str, Meaning] = {
    "ingress_throughput": ingress.mean("throughput_rps"),
    "ingress_error_rate": ingress.mean("error_rate"),
    "ingress_trust_score": ingress.mean("trust_score"),
    "ingress_latency": ingress.mean("latency_ms"),
    "intelligence_p95_latency": intelligence.percentile("latency_ms", 0.95),
    "intelligence_confidence": intelligence.mean("confidence"),
    "intelligence_calibration": intelligence.mean("calibration"),
    "intelligence_fairness_delta": intelligence.mean("fairness_delta"),
    "learning_label_agreement": learning.mean("label_agreement"),
    "learning_drift_psi": learning.mean("drift_psi"),
    "learning_largest_drift_psi": learning.largest("drift_psi"),
    "learning_coverage_ratio": learning.mean("coverage_ratio"),
    "memory_cache_hits": memory.those(*_is("is_cache_hit")),
    "memory_accesses": memory.those(*_is_known("is_cache_hit")),
    "memory_cache_hit_rate": memory.share(*_is("is_cache_hit"), *_is_known("is_cache_hit")),
    "memory_average_response_time": memory.mean("response_time_ms"),
    "memory_storage_size": memory.total("size_bytes"),
    "orchestration_loop_seconds": orchestration.total("total_loop_seconds"),
    "orchestration_loop_executions": orchestration.total("loop_executions"),
    "orchestration_loop_execution_time": orchestration.sums("total_loop_seconds", "loop_executions"),
    "orchestration_task_execution_time": orchestration.mean("task_execution_seconds"),
    "orchestration_failed_tasks": orchestration.those(*_is("has_failed")),
    "orchestration_ended_tasks": orchestration.those(*_is_known("has_failed")),
    "orchestration_task_failure_rate": orchestration.share(*_is("has_failed"), *_is_known("has_failed")),
    "resilience_circuit_breaker_trips": resilience.those(*_is("is_trip")),
    "resilience_degradation_activations": resilience.those(*_is("is_activation")),
    "resilience_sli_violations": resilience.those(*_is("is_violation")),
    "resilience_sli_measurements": resilience.those(*_is_known("is_violation")),
    "resilience_sli_violation_rate": resilience.share(*_is("is_violation"), *_is_known("is_violation")),
}  # fmt: skip
