"""Action contracts in time order: the spine of the history."""

from __future__ import annotations

from random import Random

from grace_dbt.simulation.case import Case
from grace_dbt.simulation.chance import Deck
from grace_dbt.simulation.clock import DAY, HOUR, MINUTE, SECOND
from grace_dbt.simulation.evidence import Evidence
from grace_dbt.simulation.filing import Filing
from grace_dbt.simulation.missions import Missions
from grace_dbt.simulation.oversight import REFUSED, Oversight
from grace_dbt.simulation.remedies import Remedies
from grace_dbt.simulation.rhythm import Slot
from grace_dbt.simulation.vocabulary import (
    ACTIONS,
    ERRORS,
    FAILURES,
    FREE_TEXTS,
    PLANS,
    SEVERITIES,
    SHARDS,
    SYSTEMS,
    USERS,
)
from grace_dbt.simulation.world import World

LAG = 10 * MINUTE  # an event may be recorded this long after its moment
TIERS: dict[str | None, float] = {"tier_1": 0.615, "tier_2": 0.27, "tier_3": 0.105, None: 0.01}
# Share of the settled contracts that is verified, refusals and late rollbacks counted as others.
SUCCESS: dict[str | None, float] = {"tier_1": 0.93, "tier_2": 0.88, "tier_3": 0.80, None: 0.90}
REGRETTED = 0.012  # of the verified, rolled back later
INCIDENT_FACTOR = 0.6
BAD: dict[str | None, dict[str, float]] = {
    "tier_1": {"partial_success": 0.3, "failed": 0.6, "rolled_back": 0.1},
    "tier_2": {"partial_success": 0.3, "failed": 0.35, "rolled_back": 0.35},
    "tier_3": {"partial_success": 0.25, "failed": 0.3, "rolled_back": 0.45},
    None: {"partial_success": 0.3, "failed": 0.7},
}
ORIGINS = {
    "user": 0.21, "system": 0.15, "agent": 0.16, "input_sentinel": 0.17, "cognition": 0.08,
    "mission": 0.20, "free text": 0.02, "nobody": 0.01,
}  # fmt: skip
# Seconds from start to execution, and from execution to verification.
PACE: dict[str | None, tuple[tuple[float, float], tuple[float, float]]] = {
    "tier_1": ((0.4, 20), (1.5, 120)),
    "tier_2": ((2, 120), (20, 900)),
    "tier_3": ((5, 900), (60, 3_600)),
    None: ((0.5, 30), (2, 200)),
}


class Contracts:
    """Tells one contract after the other, with all that hangs on it.

    Attributes:
        evidence: Who takes snapshots and runs benchmarks.
        missions: Who keeps missions under way.
        filing: Who writes contracts down.
    """

    def __init__(self, world: World, oversight: Oversight, remedies: Remedies) -> None:
        """Prepare the decks that guarantee every tier, origin and outcome."""
        self._world = world
        self._rng: Random = world.stream("contracts")
        self._oversight = oversight
        self._remedies = remedies
        self.evidence = Evidence(world)
        self.missions = Missions(world, self.evidence)
        self.filing = Filing(world)
        rng = self._rng
        self._ids = world.serial(rng, "contract_")
        self._error_ids = world.serial(rng, "err_")
        self._tiers = Deck(rng, TIERS)
        self._origins = Deck(rng, ORIGINS)
        self._systems = Deck(rng, SYSTEMS)
        self._severities = Deck(rng, SEVERITIES)
        self._bad = {tier: Deck(rng, outcomes) for tier, outcomes in BAD.items()}
        # Incidents cost success; the calm hours make up for it, so that each tier keeps its share.
        calm = 1 - (1 - INCIDENT_FACTOR) * world.rhythm.incident_share
        kept: dict[str | None, float] = {"tier_2": 1 - REGRETTED, "tier_3": 1 - REGRETTED - REFUSED}
        self._success = {
            tier: min(0.995, share / calm / kept.get(tier, 1)) for tier, share in SUCCESS.items()
        }
        self._told_late_rollback = False

    def write(self) -> None:
        """Tell all contracts, exactly as many as the world has."""
        world = self._world
        newest = 0 if world.contracts < 10 else min(40, 2 + world.contracts // 400)
        left = world.contracts
        for moment, slot in world.rhythm.arrivals(world.contracts, self._rng):
            left -= 1
            if left % 256 == 0:
                world.log.write_until(moment - LAG)
                world.audit.write_until(moment - LAG)
                world.book.settle()
            forced, tier = None, self._tiers.deal()
            if left < newest:
                forced, tier = self._still_open(left, tier)
            self.tell(moment, slot, tier, forced)
        self.missions.finish()

    def _still_open(self, left: int, tier: str | None) -> tuple[str | None, str | None]:
        """The newest contracts: the last awaits an approval, the others mostly run."""
        if left == 0:
            return "pending", "tier_3"
        if left == 1:
            return "executing", "tier_1"
        open_states = ("pending", "executing", "executing", None)
        return open_states[int(self._rng.random() * 4)], tier

    def tell(self, moment: int, slot: Slot, tier: str | None, forced: str | None = None) -> None:
        """Tell one contract; `forced` is the state that it has not got beyond at the end."""
        random = self._rng.random
        actions = ACTIONS[tier or "tier_1"]
        action = actions[int(random() * len(actions))]
        if slot.incident and random() < 0.5:
            action = next(a for a in actions if a.service in (slot.incident.component, "api"))
        step = 1 if random() < 0.6 else SECOND  # some writers keep no fractions of a second
        case = Case(self._ids(), action, tier, None, slot, moment - moment % step, step)
        self._find_origin(case)
        ready: int | None = case.created
        if tier == "tier_3":
            ready = self._ask(case, unanswered=forced == "pending")
        if ready is not None:
            self._run(case, ready, forced)
        if self._remedies.runs_playbook(case):
            self._remedies.run_playbook(case)
        self._keep_evidence(case)
        self.filing.write_row(case)
        self.filing.log(case)
        if case.mission:
            self.missions.report(
                case.mission, case.status, case.verified or case.created, case.snapshot,
                case.late_rollback,
            )  # fmt: skip
        if case.error:
            self._remedies.tell_insight(case)
        if tier == "tier_3" or random() < 0.02:
            self._oversight.check(
                case.created, case.id, case.actor or "action_executor", action.kind,
                action.resource, approved=case.approved,
            )  # fmt: skip
        if random() < 0.003:
            self._oversight.wish(moment, slot, f"agent:shard_{int(random() * SHARDS)}")

    def _later(self, case: Case, moment: int, low: float, high: float) -> int:
        """A moment some seconds later, in the precision that the writer keeps."""
        wait = int(low * SECOND * (high / low) ** self._rng.random())
        return moment + max(case.step, wait // case.step * case.step)

    def _find_origin(self, case: Case) -> None:
        """Who or what asked: people by day, agents by night."""
        random, origin = self._rng.random, self._origins.deal()
        if origin == "user" and not case.slot.office and random() < 0.7:
            origin = "agent"
        if origin == "mission":
            case.mission = self.missions.next_for(case.created)
            if case.mission is None:
                origin = "system"
        if origin == "mission" and case.mission:
            case.actor = f"mission:{case.mission.id}"
        elif origin == "user":
            case.actor = f"user:{USERS[int(random() ** 2 * len(USERS))]}"
        elif origin == "system":
            case.actor = f"system:{self._systems.deal()}"
        elif origin == "agent":
            case.actor = f"agent:shard_{int(random() * SHARDS)}"
        elif origin == "cognition":
            case.actor = f"cognition:{PLANS[int(random() * len(PLANS))]}"
        elif origin == "free text":
            case.actor = FREE_TEXTS[int(random() * len(FREE_TEXTS))]
        elif origin == "input_sentinel":
            self._detect_error(case)

    def _detect_error(self, case: Case) -> None:
        random = self._rng.random
        case.error = self._error_ids()
        case.actor = f"input_sentinel:{case.error}"
        case.error_type, words = ERRORS[int(random() * len(ERRORS))]
        case.severity = self._severities.deal()
        if case.slot.incident and random() < 0.4:
            case.severity = case.slot.incident.severity
        seen = case.created - (1 + int(random() * 6)) * max(case.step, SECOND // 4)
        self._world.log.record(
            self._world.within(seen),
            "input_sentinel",
            "error.detected",
            case.error,
            subsystem="error_handling",
            payload=f'{{"error": "{words}", "error_type": "{case.error_type}",'
            f' "severity": "{case.severity}", "source": "{case.action.service}"}}',
            result="detected",
        )

    def _ask(self, case: Case, *, unanswered: bool) -> int | None:
        """Have a person decide; the moment work may begin, None if it may not yet or never."""
        asked = self._later(case, case.created, 0.2, 20)
        asked = min(asked, self._world.clock.last)
        answer = self._oversight.ask(
            asked,
            case.slot,
            f"{case.id} {case.action.deed}",
            case.actor or "action_executor",
            unanswered=unanswered,
        )
        case.approval = answer.number
        case.approved = answer.status == "approved"
        if answer.status == "rejected":
            closed = self._later(case, answer.decided, 1, 20)
            if closed <= self._world.clock.last:
                case.status, case.verified, case.confidence = "failed", closed, 0.0
                case.fault = f"approval rejected by {answer.by}"
            return None
        return answer.decided if case.approved else None

    def _run(self, case: Case, ready: int, forced: str | None) -> None:
        """Execute and verify, as far as the end of the span allows."""
        random, last = self._rng.random, self._world.clock.last
        if forced == "pending":
            return
        started = self._later(case, ready, 0.1, 15)
        if started > last:
            if forced == "executing":
                case.status = "executing"
            return
        case.started, case.status = started, "executing"
        strain = 2.5 if case.slot.incident else 1.0
        (low, high), (check_low, check_high) = PACE[case.tier]
        executed = self._later(case, started, low, high * strain)
        if executed > last:
            return
        case.executed = executed
        late = random()
        if late < 0.03:
            verified = self._later(case, executed, HOUR / SECOND, 12 * HOUR / SECOND)
        elif late < 0.04:
            verified = self._later(case, executed, DAY / SECOND, 3 * DAY / SECOND)
        else:
            verified = self._later(case, executed, check_low, check_high * strain)
        if verified > last or forced:
            return
        case.verified = verified
        self._judge(case, verified)

    def _judge(self, case: Case, verified: int) -> None:
        random, last = self._rng.random, self._world.clock.last
        chance = self._success[case.tier] * (INCIDENT_FACTOR if case.slot.incident else 1.0)
        if random() < chance:
            case.status = "verified"
            case.confidence = round(0.84 + 0.16 * random(), 3)
            risky = case.tier in ("tier_2", "tier_3")
            if risky and (not self._told_late_rollback or random() < REGRETTED):
                undone = self._later(case, verified, 1_800, 150_000)
                if undone <= last:
                    self._told_late_rollback = True
                    case.status, case.undone, case.late_rollback = "rolled_back", undone, True
                    case.fault = "regression reported after verification"
            return
        outcome = self._bad[case.tier].deal()
        case.fault = FAILURES[int(random() * len(FAILURES))]
        if outcome == "rolled_back":
            # The rollback is part of the verification, and ends before the verdict is filed.
            case.undone = verified
        case.status = outcome
        low = 0.5 if outcome == "partial_success" else 0.05
        case.confidence = round(low + 0.35 * random(), 3)

    def _keep_evidence(self, case: Case) -> None:
        """Tier 2 and 3 want a snapshot before and a benchmark after; a few writers skip one."""
        if case.started is None or case.tier not in ("tier_2", "tier_3"):
            return
        random = self._rng.random
        if case.undone is not None or random() < 0.95:
            case.snapshot = self.evidence.snapshot_id(case.started)
            self.evidence.snapshot(
                case.snapshot,
                case.started,
                contract=case.id,
                playbook_run=case.playbook_run,
                triggered_by=f"contract:{case.id}",
                restored=case.undone,
            )
        if case.verified is not None and case.executed is not None and random() < 0.92:
            at = case.executed + (case.verified - case.executed) * 3 // 4
            at -= at % case.step
            self.evidence.benchmark(
                case.id,
                max(at, case.executed),
                good=case.status == "verified" or case.late_rollback,
                strain=case.slot.incident is not None,
            )
