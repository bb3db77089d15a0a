"""When the project is parsed, and when what was parsed before is good enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from grace_dbt import dbt_parsing, settings
from grace_dbt.dbt_parsing import parsed_project


class Parses:
    """Counts how often the project is parsed; each new process begins with nothing in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.count, self._monkeypatch = folder, 0, monkeypatch

    def __call__(self, *, target: str = "duckdb", schema: str = "main") -> int:
        """How often it had to be parsed for one command of a new process."""
        self._monkeypatch.setattr(dbt_parsing, "_KEPT", {})
        before = self.count
        assert parsed_project(self.folder, target, schema, self._parse) is not None
        return self.count - before

    def _parse(self) -> Manifest:
        self.count += 1
        return Manifest()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one model."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small")
    (folder / "models" / "one.sql").write_text("select 1")
    for module in (settings, dbt_parsing):
        monkeypatch.setattr(module, "project_directory", lambda: folder)
    return folder


@pytest.fixture
def parses(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parses:
    return Parses(tmp_path / "parsed", monkeypatch)


def test_a_second_process_parses_nothing(parses: Parses) -> None:
    assert [parses(), parses()] == [1, 0]


def test_each_target_keeps_its_own(parses: Parses) -> None:
    assert [parses(), parses(target="live"), parses(), parses(target="live")] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "models" / "one.sql").write_text("select 2"),
        lambda project: (project / "models" / "two.yml").write_text("models: []"),
        lambda project: (project / "dbt_project.yml").write_text("name: other"),
    ],
    ids=["a model", "a new file", "the project file"],
)
def test_a_change_is_parsed(
    parses: Parses, project: Path, change: Callable[[Path], object]
) -> None:
    assert parses() == 1
    change(project)
    assert [parses(), parses()] == [1, 0]
    assert len(list(parses.folder.iterdir())) == 1, "no older one is kept"


def test_another_schema_or_dbt_is_parsed(parses: Parses, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [parses(), parses(schema="grace")] == [1, 1]
    monkeypatch.setattr(dbt_parsing, "version", lambda package: "99.0")
    assert parses(schema="grace") == 1


def test_a_file_that_cannot_be_read_is_parsed_again(parses: Parses) -> None:
    assert parses() == 1
    [kept] = parses.folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:20])
    assert [parses(), parses()] == [1, 0]


def test_where_nothing_can_be_kept_each_process_parses(parses: Parses) -> None:
    parses.folder.write_text("no folder")
    assert [parses(), parses()] == [1, 1]
