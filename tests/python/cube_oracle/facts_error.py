"""Errors: which rows tell of one, how each was resolved, and by whom."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from cube_oracle.dimensions import actor, actor_key
from cube_oracle.facts_execution import has_healed
from cube_oracle.reading import as_number, member, minute_key, seconds, surrogate, truth, word
from cube_oracle.source import Row, reference
from cube_oracle.world import World

WINDOW = timedelta(hours=24)


@cache
def _rules() -> list[dict[str, str]]:
    return sorted(reference("error_rules.csv"), key=lambda rule: int(rule["priority"]))


@cache
def _severities() -> dict[str, str]:
    return {row["spelling"]: row["severity"] for row in reference("severity_spellings.csv")}


@cache
def _like(pattern: str, text: str | None) -> bool:
    if pattern == "%":
        return True
    parts = {"%": ".*", "_": "."}
    matcher = "".join(parts.get(letter) or re.escape(letter) for letter in pattern)
    return text is not None and re.fullmatch(matcher, text, re.DOTALL) is not None


def _rule(source: str, fields: dict[str, str | None]) -> dict[str, str] | None:
    """The rule that decides about a row, if it says that the row is an error."""
    for rule in _rules():
        text = fields.get(rule["field"])
        if rule["source"] == source and _like(rule["pattern"], text.lower() if text else None):
            return rule if rule["is_error"] == "1" else None
    return None


@dataclass
class Resolution:
    """How an error ended: by its own record, or by what others did about its component."""

    is_resolved: bool = False
    at: datetime | None = None
    needed_human: bool = False
    playbook: str | None = None


@dataclass
class Error:
    """One error as its own record tells it."""

    source: str
    row_id: str
    error_type: str
    severity: str
    component: str | None
    actor: str | None
    resource: str | None
    at: datetime | None
    own: Resolution


def _severity(stated: str | None, rule: dict[str, str]) -> str:
    if stated is not None:
        return _severities().get(stated.lower(), "unknown")
    return rule["severity"] or "unknown"


def errors(staged: dict[str, list[Row]]) -> list[Error]:
    """Every error that the logs, the alerts and the insights tell of."""
    return [*_logged(staged), *_alerts(staged), *_insights(staged)]


def _logged(staged: dict[str, list[Row]]) -> list[Error]:
    endings: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in staged["immutable_log"]:
        if (
            row["action"] in ("error.resolved", "error.escalated")
            and row["resource"]
            and row["timestamp"]
        ):
            endings[row["action"], row["resource"]].append(row)
    for rows in endings.values():
        rows.sort(key=lambda row: (row["timestamp"], as_number(row["id"])))
    found = []
    for row in staged["immutable_log"]:
        rule = _rule("immutable_log", row)
        if rule is None:
            continue
        said = {
            key: word(member(row["payload"], key))
            for key in ("error_type", "severity", "source", "playbook")
        }
        resolving, escalating = (
            next(
                (
                    end
                    for end in endings[action, row["resource"]]
                    if end["timestamp"] >= row["timestamp"]
                ),
                None,
            )
            if row["resource"] and row["timestamp"]
            else None
            for action in ("error.resolved", "error.escalated")
        )
        own = Resolution(playbook=said["playbook"])
        for ending in filter(None, (resolving, escalating)):
            own.playbook = own.playbook or word(member(ending["payload"], "playbook"))
        if resolving:
            own.is_resolved, own.at = True, resolving["timestamp"]
            own.needed_human = truth(member(resolving["payload"], "auto_resolved")) is False
        own.needed_human |= escalating is not None
        found.append(
            Error(
                source="immutable_log",
                row_id=row["id"],
                error_type=rule["error_type"] or said["error_type"] or row["action"] or "unknown",
                severity=_severity(said["severity"], rule),
                component=said["source"]
                or (row["actor"] if ":" not in (row["actor"] or "") else None),
                actor=row["actor"],
                resource=row["resource"],
                at=row["timestamp"],
                own=own,
            )
        )
    return found


def _alerts(staged: dict[str, list[Row]]) -> list[Error]:
    found = []
    for row in staged["security_events"]:
        rule = _rule("security_events", row)
        if rule is None:
            continue
        own = Resolution()
        if row["status"] == "resolved":
            own = Resolution(True, row["resolved_at"], row["resolution_note"] is not None)
        found.append(
            Error(
                source="security_events",
                row_id=row["id"],
                error_type=rule["error_type"] or row["action"] or "unknown",
                severity=_severity(row["severity"], rule),
                component="hunter",
                actor=row["actor"],
                resource=row["resource"],
                at=row["created_at"],
                own=own,
            )
        )
    return found


def _insights(staged: dict[str, list[Row]]) -> list[Error]:
    phases: dict[str, list[Row]] = defaultdict(list)
    for row in staged["agentic_insights"]:
        if row["run_id"]:
            phases[row["run_id"]].append(row)
    found = []
    for row in staged["agentic_insights"]:
        is_signal = row["phase"] == "sensing" and row["signal_type"]
        rule = _rule("agentic_insights", row) if is_signal else None
        if rule is None:
            continue
        own, at, run = Resolution(), row["timestamp"], phases[row["run_id"] or ""]
        successes = [
            phase["timestamp"]
            for phase in run
            if phase["phase"] == "completion"
            and phase["outcome"] == "success"
            and phase["timestamp"]
        ]
        ends = [end for end in successes if at and end >= at]
        if ends:
            own.is_resolved, own.at = True, min(ends)
        own.needed_human = any(phase["approval_required"] or phase["approved_by"] for phase in run)
        summary, reported, _ = (row["signal_summary"] or "").partition(" reported ")
        found.append(
            Error(
                source="agentic_insights",
                row_id=row["id"],
                error_type=rule["error_type"] or row["signal_type"],
                severity=_severity(None, rule),
                component=word(summary) if reported else None,
                actor="cognition",
                resource=row["run_id"],
                at=at,
                own=own,
            )
        )
    return found


@dataclass
class Remedies:
    """What was done about one component: (moment, needed a human) of each success, (moment, playbook) of each run."""

    successes: list[tuple[datetime, bool]]
    playbooks: list[tuple[datetime, str | None]]


def _remedies(staged: dict[str, list[Row]]) -> dict[str, Remedies]:
    found: dict[str, Remedies] = defaultdict(lambda: Remedies([], []))
    for action in staged["healing_actions"]:
        if action["component"] and action["created_at"] and has_healed(action):
            found[action["component"]].successes.append((action["created_at"], False))
    for run in staged["playbook_runs"]:
        if run["service"] and run["created_at"]:
            found[run["service"]].playbooks.append((run["created_at"], run["playbook_id"]))
        if run["service"] and run["ended_at"] and run["status"] == "succeeded":
            who = actor(run["requested_by"])
            human = run["approval_request_id"] is not None or (
                who is not None and who.actor_type == "human"
            )
            found[run["service"]].successes.append((run["ended_at"], human))
    return found


def _attributed(error: Error, remedies: dict[str, Remedies]) -> Resolution:
    """The end of an error, with what is not told by its own record taken from what was done about its component."""
    end = Resolution(
        error.own.is_resolved, error.own.at, error.own.needed_human, error.own.playbook
    )
    if error.component is None or error.at is None or error.component not in remedies:
        return end
    done, last = remedies[error.component], error.at + WINDOW
    successes = [s for s in done.successes if error.at <= s[0] <= last]
    if not end.is_resolved and successes:
        end.is_resolved, end.at = True, min(moment for moment, _ in successes)
        end.needed_human |= all(human for moment, human in successes if moment == end.at)
    runs = [p for p in done.playbooks if error.at <= p[0] <= last]
    if end.playbook is None and runs:
        first = min(moment for moment, _ in runs)
        names = [name for moment, name in runs if moment == first and name]
        end.playbook = min(names, key=as_number, default=None)
    return end


def error_events(world: World, found: list[Error]) -> list[Row]:
    """An error each."""
    remedies = _remedies(world.staged)
    facts = []
    for error in found:
        end = _attributed(error, remedies)
        facts.append({
            "error_key": surrogate(f"{error.source}:{error.row_id}"),
            "time_key": minute_key(error.at),
            "component_key": world.components.key(error.component, error.at),
            "actor_key": actor_key(error.actor),
            "error_id": f"{error.source}:{error.row_id}",
            "error_type": error.error_type,
            "severity": error.severity,
            "source": error.source,
            "component_name": error.component,
            "resource": error.resource,
            "was_resolved": end.is_resolved,
            "was_auto_resolved": end.is_resolved and not end.needed_human,
            "resolution_time_seconds": seconds(error.at, end.at),
            "playbook_triggered": end.playbook,
            "required_human_intervention": end.needed_human,
            "created_at": error.at,
            "resolved_at": end.at,
        })  # fmt: skip
    return facts
