"""`grace-dbt build`, `test` and `docs`: dbt with the settings of this installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grace_dbt.dbt_runner import DbtOutcome, run_dbt
from grace_dbt.declaration import load_declaration
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.locking import exclusive
from grace_dbt.operational.schema import require_tables
from grace_dbt.publishing import current
from grace_dbt.settings import Settings

SELECTORS = ("--select", "-s", "--models", "-m", "--selector", "--exclude")


@dataclass(frozen=True)
class TestResult:
    """One dbt test: `status` is pass, warn, fail, error or skipped; `failures` counts rows that break a rule."""

    __test__ = False  # pytest: this is no test class

    name: str
    status: str
    failures: int
    rules: dict[str, int]


def build(settings: Settings, arguments: Sequence[str], *, target: str, quiet: bool) -> DbtOutcome:
    """Run `dbt build` against the operational database of the settings.

    Raises:
        GraceError: There is no operational database, or another process builds.
    """
    _require_source(settings, target)
    with exclusive(settings, "build"):
        outcome = run_dbt(["build", *arguments], settings, target=target, loud=not quiet)
    _require_run(outcome, settings)
    return outcome


def test(
    settings: Settings, arguments: Sequence[str], *, target: str, quiet: bool
) -> list[TestResult]:
    """Run `dbt test`; without a selection and before the first refresh, only on the operational tables.

    Returns:
        Every test that ran. A contract that only warns in dbt is here with its status `warn`.

    Raises:
        GraceError: There is no operational database, another process builds, or dbt could not start.
    """
    _require_source(settings, target)
    arguments = list(arguments)
    if not any(a.split("=")[0] in SELECTORS for a in arguments):
        # How Grace is doing now is no contract; `grace-dbt health` tells. Contracts run one by one here.
        arguments += ["--exclude", "tag:health", "tag:batched"]
        if current(settings) is None:
            arguments += ["--select", "source:*"]
    with exclusive(settings, "test"):
        # Unit tests look at the project, not at a database; `dbt build` runs them.
        command = ["test", "--store-failures", "--exclude-resource-type", "unit_test", *arguments]
        outcome = run_dbt(command, settings, target=target, loud=not quiet)
        _require_run(outcome, settings)
        broken = _broken_rules(outcome, settings) if target == "duckdb" else {}
    results = [
        TestResult(
            node.node.name,
            str(node.status),
            int(node.failures or 0),
            broken.get(node.node.unique_id, {}),
        )
        for node in outcome.nodes
        if node.node.resource_type == "test"
    ]
    if not results:
        raise GraceError(
            "The selection holds no contract.", "See what there is: grace-dbt docs", ExitCode.USAGE
        )
    return results


def _require_source(settings: Settings, target: str) -> None:
    url = settings.operational
    if target in ("sqlite", "postgres") and url.dialect != target:
        raise GraceError(
            f"The target {target} can't read a {url.dialect} database.",
            "Use --target duckdb.",
            ExitCode.USAGE,
        )
    if target == "sqlite" and "'" in str(url):
        raise GraceError(
            f"The target sqlite can't attach {url}: its path has a quote.",
            "Use --target duckdb.",
            ExitCode.USAGE,
        )
    require_tables(settings.operational)


def _require_run(outcome: DbtOutcome, settings: Settings) -> None:
    """Fail where dbt stopped before it ran anything."""
    if outcome.with_status("error") or (outcome.errors and not outcome.nodes):
        # What a run can't read is the reason, in whatever words dbt puts it.
        require_tables(settings.operational, readable=load_declaration().keys())
    if outcome.errors and not outcome.nodes:
        usage = outcome.usage_error
        raise GraceError(
            f"dbt did not start: {outcome.reason[:300]}",
            "dbt takes: dbt build --help"
            if usage
            else f"dbt's log: {settings.home / 'logs' / 'dbt.log'}",
            ExitCode.USAGE if usage else ExitCode.ENVIRONMENT,
        )


def _broken_rules(outcome: DbtOutcome, settings: Settings) -> dict[str, dict[str, int]]:
    """Rows by broken rule, read from the failures that dbt stored, for tests whose rows name a rule."""
    import duckdb

    found: dict[str, dict[str, int]] = {}
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        for result in outcome.with_status("warn", "fail"):
            rows = connection.table(result.node.relation_name)
            if "rule" in rows.columns:
                counts = rows.aggregate("rule, count(*) as failures").order("rule").fetchall()
                found[result.node.unique_id] = dict(counts)
    return found


def write_docs(settings: Settings, out: Path | None = None) -> Path:
    """Write the docs site, lineage included, as one static file.

    Args:
        settings: The installation.
        out: Where to; default `docs/index.html` under GRACE_HOME.

    Returns:
        The file.

    Raises:
        GraceError: There is no operational database, or dbt failed.
    """
    require_tables(settings.operational)
    page = out or settings.home / "docs" / "index.html"
    with exclusive(settings, "docs"):
        outcome = run_dbt(["docs", "generate", "--static"], settings)
    if not outcome.success:
        raise GraceError(
            f"The docs could not be written: {outcome.reason}",
            f"dbt's log: {settings.home / 'logs' / 'dbt.log'}",
            ExitCode.BAD,
        )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_bytes((settings.home / "dbt" / "duckdb" / "static_index.html").read_bytes())
    return page


def serve_docs(page: Path, port: int) -> None:
    """Serve the directory of the page on 127.0.0.1 until interrupted.

    Raises:
        GraceError: The port is taken.
    """
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    handler = partial(SimpleHTTPRequestHandler, directory=str(page.parent))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise GraceError(
            f"Port {port} can't be used: {error.strerror}.", "Choose another with --port."
        ) from error
    with server:
        server.serve_forever()
