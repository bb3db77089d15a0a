"""URLs of operational databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.settings import Settings


@pytest.mark.parametrize(
    ("text", "dialect", "path"),
    [
        ("sqlite:////var/lib/grace.db", "sqlite", Path("/var/lib/grace.db")),
        ("sqlite:///grace.db", "sqlite", Path.cwd() / "grace.db"),
        ("duckdb:///a/b.duckdb", "duckdb", Path.cwd() / "a" / "b.duckdb"),
        (
            "sqlite:////var/lib/grace/with%20blank.db",
            "sqlite",
            Path("/var/lib/grace/with blank.db"),
        ),
        ("sqlite:///~/grace.db", "sqlite", Path.home() / "grace.db"),
    ],
)
def test_reads(text: str, dialect: str, path: Path) -> None:
    url = OperationalUrl.parse(text)
    assert url == FileUrl(dialect, path)
    assert OperationalUrl.parse(str(url)) == url


@pytest.mark.parametrize("name", ["with blank.db", "100%.db", "a%20b.db", "question?.db", "#.db"])
def test_any_file_name_survives(name: str, tmp_path: Path) -> None:
    url = FileUrl("sqlite", tmp_path / name)
    assert OperationalUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    ["", "grace.db", "/tmp/grace.db", "oracle:///grace", "sqlite:grace.db", "sqlite://grace.db",
     "sqlite:///", "sqlite:////", "duckdb://"],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(GraceError) as wrong:
        OperationalUrl.parse(text)
    assert wrong.value.exit_code == ExitCode.USAGE
    assert wrong.value.hint.startswith("Use ")


def test_the_option_beats_the_environment_and_that_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRACE_HOME", str(tmp_path))
    monkeypatch.delenv("GRACE_OPERATIONAL_URL", raising=False)
    default = FileUrl("sqlite", tmp_path / "operational.sqlite")
    assert Settings.load().operational == default
    monkeypatch.setenv("GRACE_OPERATIONAL_URL", "duckdb:////var/lib/grace/named.duckdb")
    assert Settings.load().operational == FileUrl("duckdb", Path("/var/lib/grace/named.duckdb"))
    assert Settings.load("sqlite:////var/lib/grace/x").operational == FileUrl(
        "sqlite", Path("/var/lib/grace/x")
    )


def test_a_missing_file_tells_how_to_make_it(tmp_path: Path) -> None:
    url = FileUrl("sqlite", tmp_path / "missing.db")
    with pytest.raises(GraceError) as missing:
        url.require_present()
    assert missing.value.hint == f"Create it with: grace-dbt init --db {url}"
    assert missing.value.exit_code == ExitCode.ENVIRONMENT
