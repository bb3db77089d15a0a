"""Evidence about contracts: snapshots taken before them, benchmarks run after them."""

from __future__ import annotations

from hashlib import sha256
from random import Random

from grace_dbt.simulation.chance import Deck
from grace_dbt.simulation.clock import DAY, HOUR, SECOND
from grace_dbt.simulation.world import World

SUITES = {"smoke": 0.5, "regression": 0.35, "full": 0.15}
GOLDEN_EVERY = 7 * DAY


class Evidence:
    """Takes snapshots and runs benchmarks."""

    def __init__(self, world: World) -> None:
        """Prepare the golden states that later ones are compared with."""
        self._world = world
        self._rng: Random = world.stream("evidence")
        self._snapshots = world.book.page(
            "safe_hold_snapshots",
            "id snapshot_type triggered_by action_contract_id playbook_run_id manifest"
            " manifest_hash storage_uri baseline_metrics system_health_score status is_golden"
            " is_validated created_at validated_at restored_at notes",
        )
        self._runs = world.book.page(
            "benchmark_runs",
            "id run_id triggered_by benchmark_type results metrics passed baseline_id"
            " delta_from_baseline drift_detected duration_seconds created_at is_golden",
        )
        self._run_ids = world.serial(self._rng, "bench_")
        self._suites = Deck(self._rng, SUITES)
        self._snapshot_count = 0
        self._golden: dict[str, list[tuple[int, str]]] = {suite: [] for suite in SUITES}
        self._run_golden()

    def snapshot_id(self, moment: int) -> str:
        """A new reference, as the safe-hold manager makes them."""
        self._snapshot_count += 1
        return self._world.snapshot_id(moment, self._snapshot_count)

    def snapshot(
        self,
        snapshot: str,
        moment: int,
        *,
        contract: str | None,
        playbook_run: int | None,
        triggered_by: str | None,
        restored: int | None,
        kind: str = "pre_action",
    ) -> None:
        """Write a captured state; `restored` is the moment of a rollback to it."""
        rng, text = self._rng, self._world.clock.text
        random = rng.random
        golden = kind == "golden"
        manifest = (
            f'{{"components": ["database", "config", "health"], "files": {3 + int(random() * 9)},'
            f' "bytes": {20_000 + int(random() * 9_000_000)}}}'
        )
        validated = moment + (2 + int(random() * 60)) * SECOND
        checked = validated <= self._world.clock.last and (golden or random() < 0.7)
        status = "active"
        if restored is not None:
            status = "restored"
        elif not golden and (self._snapshot_count == 3 or random() < 0.02):
            status = "invalidated"
        latency, errors = 18 + int(random() * 60), int(random() * 90)
        self._snapshots.append(
            (
                snapshot,
                kind,
                triggered_by,
                contract,
                playbook_run,
                manifest,
                sha256(manifest.encode()).hexdigest(),
                f"file:///var/grace/safe_hold/{snapshot}",
                f'{{"api_latency_ms": {latency}, "error_rate": 0.0{errors:02d}}}',
                72 + int(random() * 29),
                status,
                int(golden),
                int(checked),
                text(moment),
                text(validated) if checked else None,
                None if restored is None else text(restored),
                "certified baseline" if golden else None,
            )
        )

    def benchmark(self, contract: str, moment: int, *, good: bool, strain: bool) -> None:
        """Write the suite run for a contract; a bad outcome shows in the figures, mostly."""
        rng = self._rng
        random = rng.random
        suite = self._suites.deal()
        passed = random() < (0.97 if good else 0.22)
        push = (0.0 if passed else 0.6) + (0.25 if strain else 0.0)
        latency = round((random() - 0.5) * 8 + push * 60, 2)
        errors = round((random() - 0.5) * 0.008 + push * 0.06, 4)
        throughput = round((random() - 0.5) * 40 - push * 90, 1)
        baseline = None
        for since, run in self._golden[suite]:
            if since < moment:
                baseline = run
        self._write_run(
            self._run_ids(),
            f"contract:{contract}",
            suite,
            moment,
            passed=passed,
            baseline=baseline,
            deltas=(latency, errors, throughput),
            golden=False,
        )

    def _run_golden(self) -> None:
        """Weekly certified runs; the last of each suite is the reference in force."""
        world, rng = self._world, self._rng
        for suite in SUITES:
            moments = []
            moment = world.clock.first + int(rng.random() * HOUR)
            while moment < world.clock.last:
                moments.append(moment)
                moment += GOLDEN_EVERY
            for at in moments:
                run = self._run_ids()
                self._golden[suite].append((at, run))
                self._write_run(
                    run,
                    None if rng.random() < 0.5 else "system:benchmark_runner",
                    suite,
                    at,
                    passed=True,
                    baseline=self._golden[suite][-2][1] if at != moments[0] else None,
                    deltas=(round(rng.random() - 0.5, 2), 0.0, 0.4),
                    golden=at == moments[-1],
                )
                certified = self.snapshot_id(at)
                self.snapshot(
                    certified,
                    at,
                    contract=None,
                    playbook_run=None,
                    triggered_by="system:benchmark_runner",
                    restored=None,
                    kind="golden",
                )

    def _write_run(
        self,
        run: str,
        triggered_by: str | None,
        suite: str,
        moment: int,
        *,
        passed: bool,
        baseline: str | None,
        deltas: tuple[float, float, float],
        golden: bool,
    ) -> None:
        latency, errors, throughput = deltas
        tests = {"smoke": 6, "regression": 24, "full": 60}[suite]
        duration = tests * (0.8 + self._rng.random())
        delta, drift = None, False
        if baseline is not None:
            delta = (
                f'{{"latency_ms": {latency}, "error_rate": {errors},'
                f' "throughput_rps": {throughput}}}'
            )
            drift = abs(latency) > 15 or abs(errors) > 0.02
        self._runs.append(
            (
                self._world.book.next_id("benchmark_runs"),
                run,
                triggered_by,
                suite,
                f'{{"tests": {tests}, "failed": {0 if passed else 1 + int(latency) % 3}}}',
                f'{{"latency_ms": {42 + latency:.2f}, "error_rate": {max(0.006 + errors, 0):.4f},'
                f' "throughput_rps": {320 + throughput:.1f}}}',
                int(passed),
                baseline,
                delta,
                int(drift),
                round(duration, 3),
                self._world.clock.text(moment),
                int(golden),
            )
        )
