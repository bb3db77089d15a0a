"""The walk-through of docs/cube.md, word for word: its files in a copy of the project, its commands, what they give."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from test_dbt_build import ROOT, copy_project

PAGE = ROOT / "docs" / "cube.md"
# The one record of seeds/sample/sample_agentic_insights.csv: number, minute, phase, signal.
RECORD = ("1", 202511031001, "diagnosis", "error_spike")


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def write_files(text: str, folder: Path) -> list[str]:
    """Write each block whose first line is a comment with a path; what was written."""
    written = []
    for language, body in blocks(text):
        found = re.match(r"(?:--|#) (\S+)\n", body)
        if found and language != "bash":
            path = folder / found[1]
            assert not path.exists(), path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
            written.append(found[1])
    return written


def commands(text: str) -> list[list[str]]:
    lines = [
        line for language, body in blocks(text) if language == "bash" for line in body.splitlines()
    ]
    assert all(line.startswith(".venv/bin/dbt ") for line in lines), lines
    return [line.split()[1:] for line in lines]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("walkthrough"))


def test_a_reader_who_follows_the_page_gets_the_tables(project: Path) -> None:
    text = section("Add a fact, dimension or rollup")
    written = write_files(text, project)
    assert [Path(path).suffix for path in written] == [".sql", ".yml"] * 3
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GRACE_", "DBT_"))}
    said = ""
    for words in commands(text):
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *words],
            cwd=project, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
        said += done.stdout
    for table in ("dim_signal", "fact_insights", "cube_insights_by_signal"):
        assert re.search(rf"PASS cube_contract_{table}_", said), table
    assert re.search(r"PASS agrees_with_fact_cube_insights_by_signal_", said)
    assert re.search(r"\| error_spike +\| +1 \| +1 \|", said)
    with duckdb.connect(str(project / "data/dev.duckdb"), read_only=True) as connection:
        records = connection.execute(
            "select insight_id, time_key, phase, signal_type from fact_insights join dim_signal using (signal_key)"
        ).fetchall()
        signals = connection.execute("select signal_type from dim_signal order by signal_key = -1")
        assert signals.fetchall() == [("error_spike",), ("unknown",)]
        rollup = connection.execute("select * from cube_insights_by_signal").fetchall()
    assert records == [RECORD]
    assert rollup == [("error_spike", 1, 1)]
