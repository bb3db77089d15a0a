"""What sqlfluff puts in place of the macros, so that SQL style is checked without dbt and without a database.

A macro of `macros/` becomes a call of its own name: the linter sees an expression and checks the SQL around it. A name
that no macro has stays undefined, and the linter says so. The functions below stand for macros that write a whole
query, or that a model loops over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

_MACROS = Path(__file__).resolve().parents[2] / "macros"
_MACRO = re.compile(r"{%-?\s*macro\s+(\w+)\s*\(")


def _call_of(name: str) -> Callable[..., str]:
    return lambda *_, **__: f"{name}()"


for _file in sorted(_MACROS.rglob("*.sql")):
    for _name in _MACRO.findall(_file.read_text(encoding="utf-8")):
        globals()[_name] = _call_of(_name)


class _Dbt:
    """The namespace `dbt`, of which models use the names of types."""

    def __getattr__(self, name: str) -> Callable[..., str]:
        if name.startswith("type_"):
            return lambda: "varchar"
        raise AttributeError(name)


dbt = _Dbt()


def env_var(name: str, default: str = "") -> str:
    """An environment variable, as if none were set."""
    return default


def canary_shares() -> list[int]:
    """Shares that tests loop over."""
    return [5, 25, 50, 100]


def sample_tables() -> list[str]:
    """One table that has sample rows."""
    return ["action_contracts"]


def landed_tables() -> list[tuple[str, str]]:
    """Two tables, so that a loop over them is linted with what stands between its rounds."""
    return [("verification", "action_contracts"), ("verification", "benchmark_runs")]


def spelled_actors() -> list[tuple[str, str]]:
    """Two places, so that a loop over them is linted with what stands between its rounds."""
    return [("stg_error__immutable_log", "actor"), ("stg_shard__execution_tasks", "submitted_by")]


def spelled_components() -> list[tuple[str, str]]:
    """Two places, as above."""
    return [
        ("stg_execution__healing_actions", "component_name"),
        ("int_error__events", "component_name"),
    ]


def surrogate_key(expressions: Sequence[str]) -> str:
    """The texts stay in sight: where a join is there for its key alone, the linter finds it used."""
    return f"surrogate_key({', '.join(expressions)})"


def operational(component: str, table: str) -> str:
    """The relation of an operational table."""
    return table


def land(component: str, table: str) -> str:
    """The query of a landing model."""
    return f"select * from {table}"


def landed(landing: str, all_of_a_key: bool = False) -> str:
    """The rows of a landing model that staging reads."""
    return f"select * from {landing}"


def audit_segments(chain: str, entries: str) -> str:
    """A query."""
    return f"select * from {entries}"


def audit_cases(chain: str, placed: str) -> str:
    """A query."""
    return "select 1 as number"


def audit_findings(chain: str, entries: str, placed: str, cases: str) -> str:
    """A query."""
    return "select 1 as number"


def audit_status(chain: str, placed: str, findings: str) -> str:
    """A query."""
    return "select 1 as number"


def sealed_entries(chain: str, rows: str, row_key: str, kept: Sequence[str]) -> str:
    """A query."""
    return f"select * from ({rows}) as stored"


def flagged_tables() -> list[str]:
    """Two tables, as above."""
    return ["action_contracts", "benchmark_runs"]


def declared_times(table: str) -> list[str]:
    """Two columns, as above."""
    return ["created_at", "verified_at"]


def next_to_enter_the_span(landing: str, name: str) -> str:
    """A query with one column, `moment`."""
    return f"select min({name}) as moment from {landing}"


def landing_changes(component: str, table: str, landing: str, run: str, there: str) -> str:
    """A query over one landing model."""
    return f"select * from {landing}"


def quarantine_findings() -> str:
    """A query over all landing models."""
    return "select * from land_action_contracts"


def contracts_in_one(severity: str) -> str:
    """A query over all models."""
    return f"select '{severity}' as severity"


def stored_text(relation: str, columns: Sequence[str]) -> str:
    """A query over one operational table."""
    return f"select {', '.join(columns)} from {relation}"


def when_present(imports: Sequence[str], caller: Callable[[], str]) -> str:
    """The query of its call block."""
    return caller()


def minute_spine(first: str, last: str) -> str:
    """A query with one column, `moment`."""
    return f"select {first} as moment union all select {last} as moment"


def time_parts(relation: str, moment: str) -> str:
    """A query over one relation."""
    return f"select {moment} from {relation}"


def stuck_tasks(relation: str) -> str:
    """A query over one operational table."""
    return f"select * from {relation}"


def high_error_rates(relation: str) -> str:
    """A query over one operational table."""
    return f"select * from {relation}"


def tripped_breakers(relation: str) -> str:
    """A query over one operational table."""
    return f"select * from {relation}"


def verification_rollup(grain: str, slice: str) -> str:
    """The query of one rollup."""
    return f"select {grain}, {slice} from fact_verification_executions"


def latencies() -> list[dict[str, str | bool]]:
    """Two latencies, one with a tier, so that a loop over them is linted with what stands between its rounds."""
    return [
        {"measure": name, "fact": name, "seconds": "seconds", "has_tier": name == "first"}
        for name in ("first", "second")
    ]
