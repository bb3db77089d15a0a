"""`grace-dbt health`: whether the operational database, and the Grace that writes it, are well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from grace_dbt.dbt_runner import printed_by
from grace_dbt.declaration import load_declaration
from grace_dbt.errors import listed
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.catalogue import Rights
from grace_dbt.operational.plan import Step
from grace_dbt.operational.schema import ABSENT, Drift, InitReport, initialise, require_tables
from grace_dbt.settings import Settings

# Of a check that finds more, the first ones are shown, and how many there are.
SHOWN = 20

# What to do about a finding of the checks that read rows; their SQL is in macros/health.
_ADVICE = {
    "orphans": "Write the missing rows, or delete those that point to them.",
    "stuck_tasks": "Look at its worker; end the task, or write its outcome.",
    "error_rates": "Look at validation_failures of the source; mend it, or disable it in sources.",
    "circuit_breakers": "Mend what the component calls; trial calls that succeed close its breaker.",
    "criticals": "Settle each one, and write down how.",
    "dead_letters": "Mend the consumer of the topic; then replay its messages, or discard them.",
}
_LEAVE = "Leave it, or declare it under models/operational."
# Ways to differ that nothing breaks on.
_HARMLESS = {"default", "comment"}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: What looked: `rights`, `schema`, `freshness`, or one of the checks of `macros/health`.
        severity: `wrong` makes the database unhealthy, a `note` does not.
        subject: The table, task, source, component or topic that it is about.
        found: What is the matter with it.
        advice: What to do.
        mend: The statement that would mend it, where there is one.
    """

    check: str
    severity: Literal["wrong", "note"]
    subject: str
    found: str
    advice: str
    mend: str | None = None


@dataclass(frozen=True)
class TableAge:
    """How long ago the newest row of a table was written.

    Attributes:
        component: The part of Grace that writes it.
        table: Its name.
        newest_at: UTC, ISO 8601.
        age_seconds: From there to the run's clock.
        allowed_seconds: The age from which its freshness warns.
    """

    component: str
    table: str
    newest_at: str
    age_seconds: float
    allowed_seconds: int

    @property
    def is_stale(self) -> bool:
        """Whether the newest row is older than allowed."""
        return self.age_seconds > self.allowed_seconds


@dataclass(frozen=True)
class HealthReport:
    """What health found.

    Attributes:
        url: The database.
        dialect: Its engine.
        server: Name and version of what runs it.
        findings: In the order of the checks.
        checks: How much each check found; of more than `SHOWN`, only the first are among the findings.
        ages: Of every table that has rows and a declared freshness, by component.
    """

    url: str
    dialect: str
    server: str
    findings: tuple[Finding, ...]
    checks: Mapping[str, int]
    ages: tuple[TableAge, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def newest(self) -> tuple[TableAge, ...]:
        """For every component that has rows, the table that was written last."""
        return tuple(
            min(ages, key=lambda age: age.age_seconds)
            for _, ages in groupby(self.ages, key=lambda age: age.component)
        )

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "url": self.url,
            "dialect": self.dialect,
            "server": self.server,
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "checks": dict(self.checks),
            "newest": [asdict(age) for age in self.newest],
        }


def health(settings: Settings) -> HealthReport:
    """Look at the operational database of the settings; nothing is written to it, and no lock is taken.

    Raises:
        GraceError: It can't be reached, has not one declared table, or one may not be read.
    """
    url = settings.operational
    declared = load_declaration().keys()
    require_tables(url, readable=declared)
    with open_database(url, write=False) as database:
        rights = database.rights(declared)
    schema = initialise(settings, dry_run=True)
    rows = printed_by("print_health", "health", {"limit": SHOWN}, settings, target="live")
    ages = tuple(
        sorted(
            (TableAge(**age) for age in rows["tables"]), key=lambda age: (age.component, age.table)
        )
    )
    found: dict[str, tuple[Finding, ...]] = {
        "rights": tuple(_rights_findings(rights, schema)),
        "schema": tuple(_schema_findings(schema)),
        **{
            check: tuple(_row_findings(check, facts["rows"]))
            for check, facts in rows["checks"].items()
        },
        "freshness": tuple(_age_findings(ages)),
    }
    counts = {check: len(findings) for check, findings in found.items()}
    counts |= {check: facts["total"] for check, facts in rows["checks"].items()}
    return HealthReport(
        str(url),
        url.dialect,
        rights.engine,
        tuple(finding for findings in found.values() for finding in findings),
        counts,
        ages,
    )


def _rights_findings(rights: Rights, schema: InitReport) -> Iterator[Finding]:
    url = schema.url
    if schema.unseen:
        words = ", ".join(kind.replace("_", " ") for kind in schema.unseen)
        yield Finding(
            "rights",
            "note",
            url,
            f"not shown to this user, so not checked: {words}",
            "Grant TRIGGER and REFERENCES to have them checked.",
        )
    advice = "Nothing to do for health and refresh; init and simulate need a user who may write."
    if rights.unwritable:
        words = f"{len(rights.unwritable)} tables can't be written: {listed(rights.unwritable)}"
        yield Finding("rights", "note", url, words, advice)
    elif not rights.creates:
        yield Finding("rights", "note", url, "no table can be created", advice)


def _schema_findings(report: InitReport) -> Iterator[Finding]:
    missing = f"Run: grace-dbt init --db {report.url}"
    for step in report.steps:
        severity = _severity(step.kind)
        yield Finding(
            "schema", severity, _place(step), f"{step.kind} is missing", missing, step.sql
        )
    for drift in report.drift:
        severity = _severity(drift.kind, drift.expected)
        advice = _schema_advice(drift, report.url)
        yield Finding("schema", severity, drift.table, _difference(drift), advice, drift.mend)
    for name in report.extra:
        yield Finding("schema", "note", name, "table is not declared", _LEAVE)


def _difference(drift: Drift) -> str:
    what = f"{drift.kind.replace('_', ' ')} {drift.object}"
    if drift.found == ABSENT:
        return f"{what} is missing"
    if drift.expected == ABSENT:
        return f"{what} is not declared"
    return f"{what} is {drift.found}; declared: {drift.expected}"


def _place(step: Step) -> str:
    return step.table if step.name == step.table else f"{step.table}: {step.name}"


def _severity(kind: str, expected: str = "") -> Literal["wrong", "note"]:
    """What nobody declared, and what no reader notices, is worth a note."""
    return "note" if kind in _HARMLESS or expected == ABSENT else "wrong"


def _schema_advice(drift: Drift, url: str) -> str:
    if drift.mend and drift.found != ABSENT:
        return "Settle what stands in the way; then run the statement."
    if drift.mend:
        return f"Run: grace-dbt init --enforce --db {url} (--dry-run shows the statement)"
    if drift.expected == ABSENT:
        return _LEAVE
    return "Change it in the database: grace-dbt only adds."


def _row_findings(check: str, rows: Iterable[Mapping[str, str | None]]) -> Iterator[Finding]:
    for row in rows:
        yield Finding(check, "wrong", row["subject"] or "null", row["found"] or "", _ADVICE[check])


def _age_findings(ages: Iterable[TableAge]) -> Iterator[Finding]:
    for age in ages:
        if age.is_stale:
            yield Finding(
                "freshness",
                "wrong",
                f"{age.component}.{age.table}",
                f"newest row {span(age.age_seconds)} old, {span(age.allowed_seconds)} allowed",
                "Find out why the system stopped writing.",
            )


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: `45 s`, `12.5 min`, `30 h`, `12 days`."""
    units = (("days", 86_400, 172_800), ("h", 3600, 3600), ("min", 60, 60))
    unit, size = next(((u, s) for u, s, from_ in units if seconds >= from_), ("s", 1))
    return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
