"""Tables on a terminal, as wide as they have to be."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grace_dbt.result_values import printable

# A wider text goes on in the next line of its cell.
CELL_WIDTH = 60


def print_grid(
    columns: Sequence[str] | None, rows: Sequence[Sequence[str]], right: Collection[int] = ()
) -> None:
    """Print a table: a terminal breaks a line that is too long, and nothing is lost.

    Args:
        columns: Headings; None for a table without.
        rows: Texts; a line break in one begins another line of its cell.
        right: Places of the columns that are set to the right.
    """
    width = len(columns) if columns is not None else len(rows[0]) if rows else 0
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=columns is not None)
    for place in range(width):
        grid.add_column(
            Text(printable(columns[place] if columns is not None else "")),
            justify="right" if place in right else "left",
            overflow="fold",
            max_width=CELL_WIDTH,
        )
    for row in rows:
        grid.add_row(*(Text("\n".join(map(printable, cell.split("\n")))) for cell in row))
    console = Console(highlight=False)
    wanted = console.measure(grid, options=console.options.update(max_width=10**6)).maximum
    Console(highlight=False, width=max(console.width, wanted)).print(grid)
