"""The wheel carries the dbt project and works where there is no checkout."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_wheel_works_outside_a_checkout(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT],
        check=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GRACE_")}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-P", "-m", "grace_dbt", *arguments],
            cwd=elsewhere, env=kept | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    place = "import grace_dbt, dbt_grace; print(grace_dbt.__file__, dbt_grace.__file__)"
    seen = subprocess.run(
        [sys.executable, "-P", "-c", place],
        env=kept | {"PYTHONPATH": str(installed)}, cwd=elsewhere, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert all(path.startswith(str(installed)) for path in seen)
    run("init")
    run("simulate", "--contracts", "50", "--days", "3")
    run("refresh")
    with sqlite3.connect(elsewhere / "data" / "operational.sqlite") as lite:
        assert lite.execute("select count(*) from action_contracts").fetchone() == (50,)
    assert "fact_verification_executions" in run("status")
    assert not list((installed / "grace_dbt" / "project").rglob("target"))
