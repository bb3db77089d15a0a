"""The page docs/cli.md against the command line that it describes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from grace_dbt.cli.app import app
from grace_dbt.cli.reference import every_command, reference_page, split_help

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
GROUP: Any = typer.main.get_command(app)
COMMANDS = {
    own.command_path: command
    for command, own in every_command(GROUP, GROUP.context_class(GROUP, info_name="grace-dbt"))
}


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run: make docs-cli"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_described_with_examples(name: str) -> None:
    command = COMMANDS[name]
    description, examples = split_help(command.help or "")
    assert description.endswith("."), "the first lines say what the command does"
    assert examples, "the help needs a block of examples"
    options = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    takes_more = command.context_settings.get("ignore_unknown_options", False)
    for example in examples:
        words = shlex.split(example.split(" | ")[0].split(" > ")[0])
        assert " ".join(words).startswith(f"{name} ") or words == name.split()
        unknown = {word for word in words if word.startswith("-") and word != "-"} - options
        assert takes_more or not unknown, f"{example}: {unknown}"
    for parameter in command.params:
        assert parameter.help, f"{name} {parameter.opts[0]} has no help"


def test_a_command_without_examples_is_found() -> None:
    assert split_help("Does something.\n\nAnd more of it.") == (
        "Does something.\n\nAnd more of it.",
        [],
    )
    assert split_help("Does it.\n\nExamples:\n\n    grace-dbt x") == ("Does it.", ["grace-dbt x"])


def test_nothing_heavy_is_imported_for_help() -> None:
    """Half a second for --help leaves no room for them."""
    code = "import sys, grace_dbt.cli.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"dbt", "duckdb", "yaml", "rich.table", "sqlite3"}
    assert not heavy.intersection(loaded.stdout.split())
