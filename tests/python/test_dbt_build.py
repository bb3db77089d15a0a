"""`dbt build` alone: a copy of the project, no environment variable of ours, an empty database, both targets."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cube_oracle.compare import TABLES
from cube_oracle.kernels import KERNELS

ROOT = Path(__file__).parents[2]
PARTS = (
    "dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "snapshots", "tests/generic", "tests/singular",
    "data/.gitignore",
)  # fmt: skip
TARGETS = ("duckdb", "sqlite")
CUBE = sorted(TABLES)

# Worked out by hand from seeds/sample/sample_action_contracts.csv:
# day, tier -> total, successful, rollbacks, open, sum of confidence, sum of seconds
DAYS = {
    ("2025-11-03", "tier_1"): (3, 2, 0, 0, 2.25, 60.0),
    ("2025-11-03", "tier_2"): (2, 1, 1, 0, 1.1, 180.0),
    ("2025-11-04", "tier_1"): (1, 1, 0, 0, 1.0, 5.0),
    ("2025-11-04", "tier_2"): (1, 0, 0, 0, 0.6, 180.0),
    ("2025-11-04", "tier_3"): (2, 1, 0, 1, 0.99, 3600.0),
    ("2025-11-08", "tier_1"): (1, 0, 0, 1, None, None),
    ("2025-11-08", "unknown"): (2, 1, 0, 0, 0.9, 3.0),
}
DAILY = """
    select year, month, day, tier_code, total_executions, successful_executions, rollbacks, open_executions,
        confidence_sum, duration_seconds_sum
    from cube_daily_verification_by_tier
"""


def copy_project(folder: Path) -> Path:
    """The dbt project alone, in a folder whose files a test may edit."""
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    return folder


# Unit tests and contracts of the operational tables say the same of every build.
DATA_ALONE = ("--exclude", "resource_type:unit_test", "source:*")


class Project:
    """A copy of the dbt project, its own data folder, and rows out of whichever file the target builds."""

    def __init__(self, folder: Path, target: str) -> None:
        self.folder, self.target = copy_project(folder), target

    def build(self, threads: int, *options: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))}
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "build", "--target", self.target, "--threads", str(threads),
             *options],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self.target == "duckdb":
            with duckdb.connect(str(self.folder / "data/dev.duckdb"), read_only=True) as connection:
                return connection.execute(sql).fetchall()
        with sqlite3.connect(self.folder / "data/dev.sqlite") as connection:
            connection.execute(
                "attach ? as operational", [str(self.folder / "data/dev_operational.sqlite")]
            )
            return connection.execute(sql).fetchall()

    def operational_counts(self) -> dict[str, int]:
        tables = [p.stem.removeprefix("sample_") for p in (ROOT / "seeds/sample").glob("*.csv")]
        return {t: self.rows(f"select count(*) from operational.{t}")[0][0] for t in tables}

    def start_over(self) -> None:
        for file in (self.folder / "data").glob("dev*"):
            file.unlink()


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """Both targets after their first build, with 8 threads."""
    made = {target: Project(tmp_path_factory.mktemp(target), target) for target in TARGETS}
    for project in made.values():
        assert "Deprecat" not in project.build(threads=8)
    return made


@pytest.fixture(params=TARGETS)
def project(request: pytest.FixtureRequest, projects: dict[str, Project]) -> Project:
    return projects[request.param]


def daily(project: Project) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (f"{year}-{month:02d}-{day:02d}", tier): tuple(
            round(value, 9) if isinstance(value, float) else value for value in values
        )
        for year, month, day, tier, *values in project.rows(DAILY)
    }


def lines_in_sample(table: str) -> int:
    import csv

    with (ROOT / f"seeds/sample/sample_{table}.csv").open(newline="") as lines:
        return sum(1 for _ in csv.DictReader(lines))


def test_first_build_has_the_answers(project: Project) -> None:
    assert daily(project) == DAYS
    counts = project.operational_counts()
    assert counts == {table: lines_in_sample(table) for table in counts}
    assert len(counts) >= 14


def test_both_targets_have_the_same_rows(projects: dict[str, Project]) -> None:
    duck, lite = (normal(projects[target]) for target in TARGETS)
    assert duck.keys() == lite.keys() == set(CUBE)
    for table in CUBE:
        # The sample has no rows of the kernels; test_same_cube has.
        assert duck[table] or table in KERNELS, f"{table} is empty: nothing is proven"
        assert duck[table] == lite[table], table


def test_second_build_changes_nothing(project: Project) -> None:
    before, counts = normal(project), project.operational_counts()
    project.build(1, *DATA_ALONE)
    assert normal(project) == before
    assert project.operational_counts() == counts


def test_somebodys_rows_are_left_alone(project: Project) -> None:
    """One row in one table is enough: not one of ours is added to it."""
    project.start_over()
    project.build(1, *DATA_ALONE)
    assert daily(project) == DAYS
    statements = [f"delete from operational.{table}" for table in project.operational_counts()]
    enforced = ["audit_logs", "immutable_log"] if project.target == "sqlite" else []
    file = project.folder / (
        "data/dev.duckdb" if project.target == "duckdb" else "data/dev_operational.sqlite"
    )
    if project.target == "duckdb":
        connection: Any = duckdb.connect(str(file))
    else:
        connection = sqlite3.connect(file)
        statements = [s.replace("operational.", "") for s in statements]
    children_first = sorted(
        statements, key=lambda s: ("step" not in s, "heartbeats" not in s, "playbook" not in s)
    )
    for statement in children_first:
        if not any(statement.endswith(table) for table in enforced):
            connection.execute(statement)
    prefix = "" if project.target == "sqlite" else "operational."
    connection.execute(
        f"insert into {prefix}healing_actions (id, component, action) values (99, 'theirs', 'restart')"
    )
    connection.commit()
    connection.close()
    project.build(1, *DATA_ALONE)
    counts = project.operational_counts()
    assert {t: n for t, n in counts.items() if n} == {"healing_actions": 1} | {
        table: lines_in_sample(table) for table in enforced
    }
    assert project.rows("select count(*) from fact_verification_executions") == [(0,)]


def normal(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """The cube's rows in one spelling for both engines, without the columns that carry a run's clock."""
    found = {}
    for table in CUBE:
        names = [
            row[0]
            for row in project.rows(f"select name from pragma_table_info('{table}')")
            if not row[0].startswith("_")
            and row[0] not in ("first_run_at", "last_run_at", "resolved_at", "run_at", "exact_at")
        ]
        if table == "cube_source_changes":
            names = [n for n in names if n not in ("rows_inserted", "rows_updated", "rows_deleted")]
        columns = ", ".join(f'"{name}"' for name in names)
        found[table] = sorted(
            (
                tuple(spell(value) for value in row)
                for row in project.rows(f"select {columns} from {table}")
            ),
            key=repr,
        )
    return found


def spell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, bool):
        return int(value)
    return round(value, 9) if isinstance(value, float) else value
