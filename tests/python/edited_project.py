"""A copy of the project whose reference seeds a test may edit, over a SQLite database of its own."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_dbt_build import copy_project

from grace_dbt import dbt_parsing, dbt_runner, settings
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.settings import Settings

Lines = dict[str, dict[str, str]]


class EditedProject:
    """A project, the database that it reads, and what its last refresh published."""

    def __init__(self, folder: Path, template: Path) -> None:
        """Copy the project and an empty database.

        Args:
            folder: Where both go.
            template: A SQLite file with the operational tables.
        """
        self.project = copy_project(folder / "project")
        self.database = Path(shutil.copy(template, folder / "operational.sqlite"))
        self.settings = Settings(folder / "home", FileUrl("sqlite", self.database))

    def seed(self, name: str) -> Path:
        """The file of a reference seed."""
        return self.project / "seeds" / "reference" / f"{name}.csv"

    def edit(self, seed: str, change: Callable[[Lines], object]) -> None:
        """Change the lines of a seed, given by what stands in their first column."""
        with self.seed(seed).open(newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            lines = {line[columns[0]]: line for line in reader}
        change(lines)
        with self.seed(seed).open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines.values())

    def refresh(self, *, full: bool = False) -> RefreshReport:
        """A refresh with the copied project."""
        with pytest.MonkeyPatch.context() as patched:
            for module in (settings, dbt_runner, dbt_parsing):
                patched.setattr(module, "project_directory", lambda: self.project)
            report = refresh(self.settings, Scope(full=full))
        self.snapshot = report.snapshot.snapshot_path
        return report

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the last refresh published."""
        with duckdb.connect(self.snapshot, read_only=True) as connection:
            return connection.execute(sql).fetchall()
