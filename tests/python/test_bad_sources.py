"""A refresh over databases as they are found: without keys, without tables or columns, with bytes that are no text."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import SERVERS
from cube_oracle.compare import assert_parity
from cube_oracle.rows import contract, insert
from places import Place

from grace_dbt.dbt_commands import build
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.publishing import current
from grace_dbt.refresh import Scope, refresh
from grace_dbt.settings import Settings


def settings_for(database: Path) -> Settings:
    return Settings(database.parent / "home", FileUrl("sqlite", database))


def published(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    snapshot = current(settings)
    assert snapshot is not None
    with duckdb.connect(snapshot.snapshot_path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


FACTS = "select contract_id, action_type, tier_code from fact_verification_executions order by 1"
FINDINGS = """
    select row_key, column_name, reason
    from cube_quarantine
    where resolved_at is null and source_table = 'action_contracts'
    order by all
"""


@pytest.fixture
def keyless(tmp_path: Path) -> Path:
    """Contracts of another writer: no key, no tier column, one column more; no benchmark table at all."""
    path = tmp_path / "keyless.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "create table action_contracts (id, action_type, status, created_at, surprise)"
        )
        connection.execute("create table healing_actions (id)")
        connection.executemany(
            "insert into action_contracts values (?, ?, 'verified', '2025-11-02 14:50:02', 1)",
            [
                ("a", "one"),
                ("a", "two"),
                ("a", "two"),
                ("b", "three"),
                (None, "four"),
                (None, "four"),
                (7, "five"),
            ],
        )
    return path


def test_repeated_and_missing_keys_are_kept_apart(keyless: Path) -> None:
    settings = settings_for(keyless)
    report = refresh(settings)
    facts = published(settings, FACTS)
    assert [fact[0] for fact in facts] == ["7", "a", "b"]
    assert facts[0][1:] == ("five", None)
    assert facts[1][1] in ("one", "two")
    findings = [
        f for f in published(settings, FINDINGS) if f[2] in ("duplicate_key", "missing_key")
    ]
    assert findings == [
        ("a", "id", "duplicate_key"),
        ("a", "id", "duplicate_key"),
        (None, "id", "duplicate_key"),
        (None, "id", "missing_key"),
        (None, "id", "missing_key"),
    ]
    read = {source.table: source.read for source in report.sources if source.read}
    assert read == {"action_contracts": 7}

    # Once the repetition is gone the finding is resolved and nothing else has moved.
    with sqlite3.connect(keyless) as connection:
        connection.execute("delete from action_contracts where id = 'a' and action_type = 'two'")
    refresh(settings)
    assert published(settings, FACTS)[1] == ("a", "one", None)
    assert not [f for f in published(settings, FINDINGS) if f[0] == "a" and f[2] == "duplicate_key"]


def test_another_letter_case_is_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "upper.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "create table Action_Contracts (ID text primary key, ACTION_TYPE, TIER text, Created_At)"
        )
        connection.execute(
            "insert into Action_Contracts values ('a', 'one', 'tier_2', '2025-11-02 14:50:02')"
        )
    settings = settings_for(path)
    refresh(settings)
    assert published(settings, FACTS) == [("a", "one", "tier_2")]


def test_different_keys_with_the_same_text_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "mixed.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table action_contracts (id, action_type)")
        connection.executemany(
            "insert into action_contracts values (?, 'x')",
            [(b"A",), ("41",), (1,), ("1",), ("0.5",), (0.5,)],
        )
    settings = settings_for(path)
    refresh(settings)
    assert [row[0] for row in published(settings, FACTS)] == ["0.5", "1", "41"]
    duplicates = [f[0] for f in published(settings, FINDINGS) if f[2] == "duplicate_key"]
    assert duplicates == ["0.5", "1", "41"]


def test_a_time_ahead_of_the_clock_is_read_once_the_clock_is_there(
    tmp_path: Path, templates: Path
) -> None:
    path = Path(shutil.copy(templates / "fresh.sqlite", tmp_path / "operational.sqlite"))
    now = datetime.now(UTC).replace(tzinfo=None)
    ahead = now + timedelta(days=1, seconds=30)
    with sqlite3.connect(path) as connection:
        insert(
            connection,
            "action_contracts",
            contract("soon", created_at=str(now), verified_at=str(ahead)),
        )
    settings = settings_for(path)
    duration = "select duration_seconds is null from fact_verification_executions"
    refresh(settings)
    assert published(settings, duration) == [(True,)]
    time.sleep(
        max(
            0.0,
            (ahead - timedelta(days=1) - datetime.now(UTC).replace(tzinfo=None)).total_seconds(),
        )
    )
    report = refresh(settings)
    assert published(settings, duration) == [(False,)]
    assert_parity(report.snapshot.snapshot_path, path, first=False)


def test_a_landing_table_rebuilt_alone_loses_nothing(tmp_path: Path, templates: Path) -> None:
    path = Path(shutil.copy(templates / "fresh.sqlite", tmp_path / "operational.sqlite"))
    settings = settings_for(path)
    with sqlite3.connect(path) as connection:
        for key in ("a", "b", "c"):
            insert(connection, "action_contracts", contract(key))
    refresh(settings)
    for status in ("failed", "verified"):
        with sqlite3.connect(path) as connection:
            connection.execute("update action_contracts set status = ? where id = 'a'", [status])
        refresh(settings)
    with sqlite3.connect(path) as connection:
        connection.execute("delete from action_contracts where id = 'c'")
    rebuilt = build(
        settings,
        ["--select", "land_action_contracts", "--full-refresh"],
        target="duckdb",
        quiet=True,
    )
    assert rebuilt.success
    with sqlite3.connect(path) as connection:
        connection.execute("update action_contracts set status = 'rolled_back' where id = 'b'")
        insert(connection, "action_contracts", contract("new"))
    assert_parity(refresh(settings).snapshot.snapshot_path, path, first=False)


def test_a_table_that_vanishes_leaves_what_was_landed(keyless: Path) -> None:
    settings = settings_for(keyless)
    refresh(settings)
    before = published(settings, FACTS)
    with sqlite3.connect(keyless) as connection:
        connection.execute("alter table action_contracts rename to elsewhere")
    report = refresh(settings)
    assert {(s.table, s.missing, s.read) for s in report.sources} >= {("action_contracts", True, 0)}
    assert any("action_contracts is missing" in warning for warning in report.warnings)
    assert published(settings, FACTS) == before != []


@pytest.mark.parametrize("dialect", SERVERS)
def test_what_a_server_lacks_is_null(
    dialect: str, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    """Of the tables one is there, of its columns some, one in another letter case, one a single bit.

    One time is none: the zero date of MySQL, and the infinity of PostgreSQL.
    """
    place = new_place(dialect)
    mark = place.mark
    kind, no_time = {
        "postgres": ("timestamptz", "infinity"),
        "mariadb": ("datetime(6)", "0000-00-00 00:00:00"),
    }[dialect]
    place.run(
        f"create table action_contracts (id char(1), {mark}Tier{mark} varchar(9), requires_approval bit(1),"
        f" created_at {kind})",
        f"insert into action_contracts values ('a', 'tier_2', b'1', '{no_time}'),"
        " ('b', 'tier_1', null, '2025-11-02 14:50:02')",
    )
    settings = Settings(tmp_path / "home", OperationalUrl.parse(place.url))
    report = refresh(settings)
    assert published(settings, FACTS) == [("a", None, "tier_2"), ("b", None, "tier_1")]
    assert ("a", "requires_approval", "unreadable") not in published(settings, FINDINGS)
    assert ("b", "requires_approval", "missing") in published(settings, FINDINGS)
    times = [f for f in published(settings, FINDINGS) if f[1] == "created_at"]
    assert times == [("a", "created_at", "unreadable")]
    assert [s.table for s in report.sources if not s.missing] == ["action_contracts"]


def test_bytes_that_are_no_text_are_quarantined(tmp_path: Path, templates: Path) -> None:
    path = Path(shutil.copy(templates / "fresh.sqlite", tmp_path / "operational.sqlite"))
    with sqlite3.connect(path) as connection:
        connection.executescript("""
            insert into action_contracts (
                id, action_type, expected_effect_hash, expected_effect, baseline_state, created_at
            ) values ('good', 'größe', '0', '{}', '{}', '2025-11-02 14:50:02'),
                ('bad', cast(x'66ff6f' as text), '0', '{}', '{}', '2025-11-02 14:50:02');
        """)
    settings = settings_for(path)
    refresh(settings)
    assert published(settings, FACTS) == [("bad", "\\x66FF6F", None), ("good", "größe", None)]
    assert published(settings, FINDINGS) == [("bad", "action_type", "not_utf8")]
    everything = ["--select", "+path:models/cube", "--exclude", "resource_type:test"]
    assert build(settings, everything, target="sqlite", quiet=True).success
    with sqlite3.connect(settings.home / "build.sqlite") as lite:
        assert lite.execute(FACTS).fetchall() == published(settings, FACTS)
    with sqlite3.connect(path) as connection:
        connection.execute("update action_contracts set action_type = 'repaired' where id = 'bad'")
    refresh(settings, Scope(full=True))
    assert published(settings, FACTS)[0] == ("bad", "repaired", None)


@pytest.mark.parametrize("content", [b"", b"this is no database at all " * 100])
def test_a_file_without_graces_tables_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operational.sqlite"
    path.write_bytes(content)
    with pytest.raises(GraceError) as caught:
        refresh(settings_for(path))
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert path.read_bytes() == content


def test_numbers_that_cannot_be_added_up_stop_nothing(tmp_path: Path, templates: Path) -> None:
    """A sum beyond all numbers, one that no bigint holds, and one whose last digits are lost."""
    database = tmp_path / "operational.sqlite"
    shutil.copy(templates / "fresh.sqlite", database)
    scores = (1.7e308, 1.7e308, 1e30, -1e30, 0.9, 0.7)
    with sqlite3.connect(database) as connection:
        for number in range(36):
            row = contract(f"c{number}", confidence_score=scores[number % 6])
            row |= {"tier": f"tier_{number % 4}", "action_type": f"a{number % 5}"}
            insert(connection, "action_contracts", row)
            mission: dict[str, object] = {"mission_id": f"m{number}", "mission_name": "many"}
            mission |= {"status": "completed", "started_at": "2025-11-02 14:50:02"}
            mission |= {"total_planned_actions": 10**18 - 1, "completed_actions": number}
            insert(connection, "mission_timelines", mission)
    settings = settings_for(database)
    refresh(settings)
    [(counted,)] = published(
        settings, "select sum(confidence_count) from cube_daily_verification_by_tier"
    )
    assert counted == 24, "two of six have no number"
    planned = "select sum(total_missions), sum(planned_actions), sum(completed_actions) from cube_mission_metrics"
    assert published(settings, planned) == [(36, None, 630)]


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.sqlite"
    with pytest.raises(GraceError, match="no sqlite database") as caught:
        refresh(settings_for(path))
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert not path.exists()


def test_a_database_that_a_real_grace_wrote(tmp_path: Path) -> None:
    """Thirteen tables, one of them with other columns than ours: nothing is created, changed or refused."""
    path = Path(
        shutil.copy(Path(__file__).parents[1] / "fixtures" / "grace_sample.sqlite", tmp_path)
    )
    before = path.read_bytes()
    report = refresh(settings_for(path))
    read = {source.table: source.read for source in report.sources}
    assert read["immutable_log"] == 100
    assert report.snapshot.rows["fact_verification_executions"] == 0
    assert report.tiers == []
    assert path.read_bytes() == before


def test_a_build_of_another_version_is_rebuilt(keyless: Path) -> None:
    settings = settings_for(keyless)
    refresh(settings)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("alter table landing.land_action_contracts alter _row_hash type varchar")
        connection.execute("update landing.land_action_contracts set _row_hash = 'of another time'")
        connection.execute("alter table fact_verification_executions drop column action_type")
    (settings.home / "build.project").write_text("of another time")
    before = published(settings, FACTS)
    refresh(settings)
    assert published(settings, FACTS) == before != []
