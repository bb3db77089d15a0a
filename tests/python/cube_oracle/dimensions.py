"""The dimensions: who, which mission, which component, which tier, as they stood at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from cube_oracle import reading
from cube_oracle.reading import BEGINNING, UNKNOWN, member, stamp, surrogate, word
from cube_oracle.source import CLOCKS, Landed, Row, reference

# Where an actor is spelled.
SPELLED = (
    ("action_contracts", "triggered_by"), ("safe_hold_snapshots", "triggered_by"), ("immutable_log", "actor"),
    ("security_events", "actor"), ("playbook_runs", "requested_by"), ("approval_requests", "requested_by"),
    ("approval_requests", "decision_by"), ("constitutional_compliance", "actor"), ("execution_tasks", "user"),
    ("shard_heartbeats", "agent_id"),
)  # fmt: skip


@dataclass(frozen=True)
class Version:
    """A member of a dimension while it was described in one way; `ends` is not included."""

    key: int
    begins: datetime
    ends: datetime | None
    row: Row


class Dimension:
    """A slowly changing dimension: its versions by natural id, in order of time."""

    def __init__(self, versions: dict[str, list[Version]], unknown: Row) -> None:
        self.versions = versions
        self.rows = [version.row for found in versions.values() for version in found] + [unknown]

    def key(self, natural: str | None, at: datetime | None) -> int:
        """The version in force at a moment; without one, the present version."""
        for version in self.versions.get(natural or "", []):
            if at is None and version.ends is None:
                return version.key
            if at and version.begins <= at and (version.ends is None or at < version.ends):
                return version.key
        return UNKNOWN

    def by_key(self, key_column: str) -> dict[int, Row]:
        """Every member by its surrogate key."""
        return {row[key_column]: row for row in self.rows}


@dataclass(frozen=True)
class Actor:
    """Who stands behind a spelling."""

    actor_id: str
    actor_type: str
    name: str
    is_trusted: bool
    component: str | None

    @property
    def row(self) -> Row:
        return {
            "actor_key": surrogate(self.actor_id),
            "actor_id": self.actor_id,
            "actor_type": self.actor_type,
            "actor_name": self.name,
            "is_trusted": self.is_trusted,
        }


_PREFIXES = {row["prefix"]: row for row in reference("actor_spellings.csv")}


def actor(spelling: str | None) -> Actor | None:
    """Who a text names; nobody for NULL and the word unknown."""
    if spelling is None or spelling == "unknown":
        return None
    prefix, colon, rest = spelling.partition(":")
    known = _PREFIXES.get(prefix.lower())
    if known is None or (not colon and known["names_actor"] == "1"):
        return Actor(spelling, "unknown", spelling, is_trusted=False, component=None)
    trusted, component = known["is_trusted"] == "1", known["component_name"] or None
    if known["names_actor"] == "1":
        return Actor(spelling, known["actor_type"], rest, trusted, component)
    return Actor(known["prefix"], known["actor_type"], known["prefix"], trusted, component)


def actor_key(spelling: str | None) -> int:
    """The key of who a text names."""
    found = actor(spelling)
    return UNKNOWN if found is None else surrogate(found.actor_id)


def actors(staged: dict[str, list[Row]], besides: Iterable[str]) -> list[Row]:
    """dim_actor: everybody whom the rows name."""
    spellings = {row[column] for table, column in SPELLED for row in staged[table]}
    spellings |= {asked_by(row["triggered_by"]) for row in staged["benchmark_runs"]} | set(besides)
    found = {a.actor_id: a.row for a in map(actor, spellings) if a}
    unknown = {
        "actor_key": UNKNOWN, "actor_id": "unknown", "actor_type": "unknown", "actor_name": "Unknown",
        "is_trusted": False,
    }  # fmt: skip
    return [*found.values(), unknown]


def asked_by(triggered_by: str | None) -> str | None:
    """Who asked for a benchmark, unless a contract is named."""
    named = triggered_by is not None and triggered_by.lower().startswith("contract:")
    return None if named else triggered_by


def tiers() -> Dimension:
    """dim_tier: the policies of the seed, the first wording of each from the beginning."""
    versions = {}
    for tier in reference("tiers.csv"):
        key = surrogate(tier["tier_code"], stamp(datetime.fromisoformat(tier["policy_date"])))
        row = {
            "tier_key": key,
            "tier_code": tier["tier_code"],
            "tier_name": tier["tier_name"],
            **{
                name: tier[name] == "1"
                for name in ("requires_approval", "requires_snapshot", "requires_benchmark")
            },
            "risk_level": tier["risk_level"],
            "description": tier["description"],
            "is_current": True,
            "effective_from": BEGINNING,
            "effective_to": None,
        }
        versions[tier["tier_code"]] = [Version(key, BEGINNING, None, row)]
    unknown = {
        "tier_key": UNKNOWN, "tier_code": "unknown", "tier_name": "Unknown", "requires_approval": None,
        "requires_snapshot": None, "requires_benchmark": None, "risk_level": "unknown",
        "description": "No tier, or one that no policy names", **_always(),
    }  # fmt: skip
    return Dimension(versions, unknown)


def _always() -> Row:
    return {"is_current": True, "effective_from": BEGINNING, "effective_to": None}


def mission_of(triggered_by: str | None) -> str | None:
    """The mission that an action reports to."""
    text = triggered_by or ""
    return word(text[8:]) if text[:8].lower() == "mission:" else None


_STARTERS = {row["starter"]: row["mission_type"] for row in reference("mission_starters.csv")}


def mission_type(timeline: Row, snapshots: dict[str, Row]) -> str:
    """What kind of mission it is, by what started it."""
    metadata = timeline["mission_metadata"]
    starter = word(member(metadata, "triggered_by")) or word(member(metadata, "started_by"))
    if starter is None:
        first = snapshots.get(timeline["initial_snapshot_id"] or "", {}).get("triggered_by")
        starter = first if first and not first.lower().startswith("mission:") else None
    if starter is None:
        return word(member(metadata, "type")) or "unknown"
    starter = starter.lower()
    prefix, colon, _ = starter.partition(":")
    return _STARTERS.get(starter) or (_STARTERS.get(prefix) if colon else None) or "unknown"


def missions_now(staged: dict[str, list[Row]]) -> dict[str, Row]:
    """Each mission as its newest row tells it."""
    snapshots = {row["id"]: row for row in staged["safe_hold_snapshots"]}
    rows = sorted(staged["mission_timelines"], key=lambda row: reading.as_number(row["id"]))
    return {
        row["mission_id"]: {**row, "mission_type": mission_type(row, snapshots)}
        for row in rows
        if row["mission_id"]
    }


SLOW = ("mission_name", "mission_type", "status", "started_at", "completed_at")


@dataclass
class MissionHistory:
    """What every refresh found a mission to be: (clock of the refresh, slow columns)."""

    records: dict[str, list[tuple[datetime, Row]]] = field(default_factory=dict)

    def watch(self, missions: dict[str, Row], clock: datetime) -> None:
        """Record what differs from the last record."""
        for mission_id, row in missions.items():
            state = {name: row[name] for name in SLOW}
            known = self.records.setdefault(mission_id, [])
            if not known or known[-1][1] != state:
                known.append((clock, state))

    def dimension(self) -> Dimension:
        """dim_mission."""
        versions = {
            mission: list(_mission_versions(mission, found))
            for mission, found in self.records.items()
            if mission != "unknown"  # the member -1, to which all that is not known belongs
        }
        unknown = {
            "mission_key": UNKNOWN, "mission_id": "unknown", "mission_name": "Unknown", "mission_type": "unknown",
            "started_at": None, "completed_at": None, "final_status": "unknown", **_always(),
        }  # fmt: skip
        return Dimension(versions, unknown)


def _mission_versions(mission_id: str, records: list[tuple[datetime, Row]]) -> Iterator[Version]:
    begins: list[datetime] = []
    former: datetime | None = None
    for clock, state in records:
        ended = state["completed_at"]
        told = ended is not None and ended != former and ended <= clock
        begins.append(BEGINNING if not begins else ended if told else clock)
        former = ended
    counting = [
        i for i, begun in enumerate(begins) if all(begun < later for later in begins[i + 1 :])
    ]
    for i, following in zip(counting, [*counting[1:], None], strict=True):
        ends = None if following is None else begins[following]
        key, state = surrogate(mission_id, stamp(begins[i])), records[i][1]
        row = {
            "mission_key": key,
            "mission_id": mission_id,
            "mission_name": state["mission_name"],
            "mission_type": state["mission_type"],
            "started_at": state["started_at"],
            "completed_at": state["completed_at"],
            "final_status": state["status"],
            "is_current": ends is None,
            "effective_from": begins[i],
            "effective_to": ends,
        }
        yield Version(key, begins[i], ends, row)


def components(seen: set[str]) -> Dimension:
    """dim_component: those of the seed, and every name that data ever had."""
    rows = {row["component_name"]: row for row in reference("components.csv")}
    members: dict[str, Row] = {
        name: {
            "subsystem": "unknown",
            "tier_default": None,
            "description": "First seen in data, in no register",
        }
        for name in seen - {"unknown"}
    }
    for name, row in rows.items():
        members[name] = {
            "subsystem": row["subsystem"],
            "tier_default": row["tier_default"] or None,
            "description": row["description"],
        }
    versions = {}
    for name, told in members.items():
        key = surrogate(name, stamp(BEGINNING))
        row_: Row = {"component_key": key, "component_name": name, **told, **_always()}
        versions[name] = [Version(key, BEGINNING, None, row_)]
    unknown = {
        "component_key": UNKNOWN, "component_name": "unknown", "subsystem": "unknown", "tier_default": None,
        "description": "No component, or none that is named", **_always(),
    }  # fmt: skip
    return Dimension(versions, unknown)


def calendar_days(landed: Landed, clock: datetime) -> list[date]:
    """The days that dim_time covers: from the first to the last moment of any clock column."""
    found = [
        moment
        for table, rows in landed.items()
        for row in rows
        if (moment := reading.instant(row[CLOCKS[table][1]])) and reading.is_accepted(moment, clock)
    ]
    if not found:
        return []
    first, last = min(found).date(), max(found).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def hour_of_day(day: date, hour: int) -> dict[str, Any]:
    """What dim_time says of each minute of an hour."""
    weekday = day.isoweekday()
    return {
        "hour": hour,
        "day": day.day,
        "week": day.isocalendar().week,
        "month": day.month,
        "quarter": (day.month + 2) // 3,
        "year": day.year,
        "day_of_week": day.strftime("%A"),
        "is_business_hours": weekday <= 5 and 9 <= hour < 17,
        "is_weekend": weekday > 5,
    }
