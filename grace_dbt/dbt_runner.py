"""Run dbt in this process with the settings of this installation."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from grace_dbt.dbt_parsing import parsed_project
from grace_dbt.errors import GraceError
from grace_dbt.operational.url import SCHEMA_VARIABLE
from grace_dbt.redaction import redacted
from grace_dbt.settings import (
    HOME_VARIABLE,
    URL_VARIABLE,
    Settings,
    project_directory,
)

# Where a live database is attached under one name, wherever it is.
LIVE_TARGETS = ("duckdb", "live")
Listener = Callable[[str, str, Any], None]


@dataclass
class DbtOutcome:
    """What one dbt command did.

    Attributes:
        success: Whether dbt calls it a success; warnings don't spoil it.
        nodes: One run result a node that ran, in order: `unique_id`, `status`, `message`, `failures`.
        errors: Messages of the errors that dbt raised, oldest first.
        listed: What `dbt ls` found.
        usage_error: Whether dbt did not know an option or argument.
    """

    success: bool
    nodes: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    usage_error: bool = False

    @property
    def reason(self) -> str:
        """The first error that dbt raised, on one line."""
        return redacted(self.errors[0] if self.errors else "no reason given")

    def with_status(self, *statuses: str) -> list[Any]:
        """The nodes that ended in one of these statuses (`error`, `fail`, `warn`, `skipped`, `pass`, `success`)."""
        return [node for node in self.nodes if str(node.status) in statuses]


def run_dbt(
    command: Sequence[str],
    settings: Settings,
    *,
    target: str = "duckdb",
    loud: bool = False,
    variables: Mapping[str, Any] | None = None,
    on_event: Listener | None = None,
) -> DbtOutcome:
    """Run one dbt command.

    Args:
        command: The command and its own arguments, e.g. `["build", "--select", "cube"]`.
        settings: Places and the operational database; both reach dbt through its environment.
        target: The dbt target; each keeps its own artifacts, so that a change of target parses nothing anew.
        loud: Let dbt write its own log to the terminal.
        variables: dbt variables that only running SQL reads: the project is not parsed for them.
        on_event: Called with name, message and data of each dbt event.

    Returns:
        The outcome. A failing model or test is an outcome, not an exception.
    """
    from dbt.cli.exceptions import DbtUsageException
    from dbt.cli.main import dbtRunner

    settings.ensure_home()
    environment = {
        HOME_VARIABLE: str(settings.home),
        URL_VARIABLE: str(settings.operational),
        **settings.operational.dbt_variables(),
    }
    errors: list[str] = []

    def listen(event: Any) -> None:
        if event.info.level == "error":
            errors.append(event.info.msg)
        if on_event is not None:
            on_event(event.info.name, event.info.msg, event.data)

    arguments = [
        *command,
        *("--project-dir", str(project_directory())),
        *("--profiles-dir", str(project_directory())),
        *("--target", target),
        *("--target-path", str(settings.home / "dbt" / target)),
        *("--log-path", str(settings.home / "logs")),
        *("--log-level-file", "info"),
    ]
    if not loud:
        arguments += ["--log-level", "none"]
    parsing = arguments[len(command) :]
    if variables:
        arguments += ["--vars", json.dumps(variables)]
    manifest, runner = None, dbtRunner(callbacks=[listen])
    # Of a log that can't be written, Python shows a traceback a line; a disk that is full is told by the run itself.
    logging.raiseExceptions = False
    with _environment(environment):
        try:
            # Parsed each time: variables of the command line, and what the other targets name after a database.
            if target in LIVE_TARGETS and not any(word.startswith("--var") for word in command):
                manifest = parsed_project(
                    *(settings.home / "dbt" / "parsed", target, environment[SCHEMA_VARIABLE]),
                    parse=lambda: runner.invoke(["parse", *parsing]).result,
                )
            result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke(arguments)
        finally:
            if target != "sqlite":
                _release_build_file()
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception  # dbt takes it for an error of its own
    if result.exception is not None:
        errors.append(str(result.exception))
    nodes = list(getattr(result.result, "results", None) or [])
    usage_error = isinstance(result.exception, DbtUsageException)
    listed = result.result if isinstance(result.result, list) else []
    return DbtOutcome(result.success, nodes, errors, listed, usage_error)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while; dbt reads its settings from there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _release_build_file() -> None:
    """Close the DuckDB handle that the adapter keeps for as long as the process lives."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def printed_by(
    macro: str, mark: str, arguments: dict[str, Any], settings: Settings, *, target: str
) -> Any:
    """Run a macro that prints one line of JSON behind a mark.

    Args:
        macro: Its name.
        mark: The word that its line begins with.
        arguments: Of the macro, by name.
        settings: Places and the operational database.
        target: The dbt target.

    Returns:
        What the line says.

    Raises:
        GraceError: dbt failed, or nothing was printed.
    """
    found: list[str] = []

    def listen(name: str, message: str, data: Any) -> None:
        if name == "PrintEvent" and message.startswith(f"{mark} "):
            found.append(message.removeprefix(f"{mark} "))

    command = ["run-operation", macro, "--args", json.dumps(arguments)]
    outcome = run_dbt(command, settings, target=target, on_event=listen)
    if not outcome.success or not found:
        raise GraceError(
            f"dbt could not run {macro}: {outcome.reason}",
            f"dbt's log is {settings.home / 'logs' / 'dbt.log'}.",
        )
    return json.loads(found[0])


def plan_ddl(dialect: str, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """The statements that create the operational schema, and those that mend it, planned by the macros of `macros/ddl`.

    Args:
        dialect: `sqlite`, `duckdb`, `postgres`, `mysql` or `mariadb`.
        settings: Where dbt keeps its artifacts.

    Returns:
        Under `schema` and `mends` the fields of `grace_dbt.operational.plan.Step`, parents first.

    Raises:
        GraceError: dbt could not plan.
    """
    plan: dict[str, list[dict[str, Any]]] = printed_by(
        "print_ddl_plan", "ddl-plan", {"dialect": dialect}, settings, target="plan"
    )
    return plan
