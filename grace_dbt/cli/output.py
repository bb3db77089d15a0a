"""What commands print: data to stdout, words for people to stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from grace_dbt.errors import GraceError


def to_people() -> Console:
    """A console on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def to_terminal() -> Console:
    """A console on stdout, for tables that are the answer."""
    from rich.console import Console

    return Console(highlight=False)


def say(*lines: str) -> None:
    """Print lines for people; Rich markup is understood."""
    console = to_people()
    for line in lines:
        console.print(line)


def say_plain(line: str, mark: str = "") -> None:
    """Print a line for people; what it quotes is never read as markup."""
    from rich.text import Text

    to_people().print(Text.assemble((mark, "yellow"), line))


def say_error(error: GraceError) -> None:
    """Print an error as its two lines; what they quote is never read as markup, nor obeyed by the terminal."""
    from rich.text import Text

    from grace_dbt.result_values import printable

    console = to_people()
    console.print(Text.assemble(("Error: ", "bold red"), printable(error.message)))
    console.print(Text(printable(error.hint), style="dim"))


def print_json(data: Any) -> None:
    """Print data as JSON on stdout; times and paths become text."""
    typer.echo(json.dumps(data, default=str, indent=2, ensure_ascii=False))
