"""The reference page of the command line, written from the commands themselves: `python -m grace_dbt.cli.reference`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main

from grace_dbt.cli.app import app

_EXAMPLES = re.compile(r"^(?:\*\*Examples\*\*|Examples:)$", re.MULTILINE)
# What Typer adds to every command line says nothing about this one.
_LEFT_OUT = {"--help", "--install-completion", "--show-completion"}


def reference_page() -> str:
    """The page in Markdown: every command with its description, its arguments and options, and its examples."""
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name="grace-dbt")
    callback = app.registered_callback
    lines = [
        "# Command line",
        "",
        "Written by `make docs-cli` from the commands themselves. Data goes to stdout, words for people go to stderr.",
        "",
        inspect.getdoc(callback.callback) or "" if callback else "",
        "",
        *_parameters(group, context),
    ]
    for command, own in every_command(group, context):
        description, examples = split_help(command.help or "")
        lines += [f"## {own.command_path}", "", description, ""]
        lines += ["```", command.get_usage(own).removeprefix("Usage: "), "```", ""]
        lines += _parameters(command, own)
        lines += ["```bash", *examples, "```", ""]
    return "\n".join(lines)


def every_command(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Every command, those of groups too, with its context."""
    for name, command in group.commands.items():
        own = command.context_class(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from every_command(command, own)
        else:
            yield command, own


def split_help(text: str) -> tuple[str, list[str]]:
    """The description of a command and its examples, a command line each; none where its help has no such block."""
    description, *rest = _EXAMPLES.split(inspect.cleandoc(text), maxsplit=1)
    examples = [line.strip().strip("`") for block in rest for line in block.splitlines()]
    return description.strip(), [line for line in examples if line]


def _parameters(command: Any, context: Any) -> Iterator[str]:
    """A table of arguments and options, and nothing at all where there are none."""
    shown = [p for p in command.get_params(context) if not _LEFT_OUT.intersection(p.opts)]
    if not shown:
        return
    yield "| option | what it does |"
    yield "|---|---|"
    for parameter in shown:
        name, text = parameter.get_help_record(context)
        yield f"| `{_cell(name)}` | {_cell(text)} |"
    yield ""


def _cell(text: str) -> str:
    """A text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference_page(), end="")
