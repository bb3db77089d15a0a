"""Questions while snapshots come and go: each answer is of one snapshot, with the metrics published with it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import GraceCli

from grace_dbt import metrics
from grace_dbt.errors import GraceError
from grace_dbt.metrics import sql_cache
from grace_dbt.metrics.definitions import Definitions
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import publish
from grace_dbt.settings import Settings

META = {"owner": "us", "unit": "count", "direction": "up", "clearance": "tier_1"}
MODEL = {
    "name": "things",
    "model": "ref('fact_things')",
    "defaults": {"agg_time_dimension": "created_at"},
    "entities": [{"name": "thing_key", "type": "primary"}],
    "dimensions": [
        {"name": "created_at", "type": "time", "type_params": {"time_granularity": "minute"}}
    ],
    "measures": [
        {"name": "things", "agg": "count", "expr": "thing_key"},
        {"name": "weight", "agg": "sum", "expr": "thing_key"},
    ],
    "declared_in": "things.yml:1",
}


def defined(*names: str) -> str:
    """Definitions with one simple metric a name, over the measure of that name."""
    written = [
        {
            "name": name,
            "description": name,
            "type": "simple",
            "type_params": {"measure": name},
            "config": {"meta": META},
            "declared_in": "things.yml:9",
        }
        for name in names
    ]
    return Definitions((MODEL,), tuple(written), ("tier_1", "tier_2", "tier_3")).to_json()


class Home:
    """A GRACE_HOME whose snapshots have one thing more each time: the number of a snapshot is its number of things."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.place = place
        self.settings = Settings(place, FileUrl("sqlite", place / "none.sqlite"))
        self.count = 0

    def publish(self, *names: str) -> None:
        self.count += 1
        with duckdb.connect(str(self.settings.build_file)) as connection:
            connection.execute(
                "create or replace table fact_things as select i as thing_key, timestamp '2026-01-01' as created_at"
                f" from range(1, {self.count} + 1) t(i);"
                "create or replace table dim_time as select timestamp '2026-01-01' as timestamp"
            )
        publish(
            self.settings, datetime.now(UTC), ["fact_things", "dim_time"], metrics=defined(*names)
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.publish("things")
    return home


def ask(home: Home, name: str = "things") -> tuple[int, str]:
    answer = metrics.query(name, home=home.place)
    return answer.rows[0][name], answer.snapshot


def test_the_next_question_is_asked_of_the_newest_snapshot_with_its_metrics(home: Home) -> None:
    assert ask(home) == (1, "snap-000001.duckdb")
    with pytest.raises(GraceError, match="no metric 'weight'"):
        ask(home, "weight")
    home.publish("weight")
    assert ask(home, "weight") == (1 + 2, "snap-000002.duckdb")
    with pytest.raises(GraceError, match="no metric 'things'"):
        ask(home)


def test_each_answer_is_of_one_snapshot_while_others_are_published(home: Home) -> None:
    wrong: list[tuple[int, str]] = []
    seen: set[int] = set()
    done = threading.Event()

    def go_on_asking() -> None:
        while not done.is_set():
            count, snapshot = ask(home)
            seen.add(count)
            if snapshot != f"snap-{count:06d}.duckdb":
                wrong.append((count, snapshot))

    with ThreadPoolExecutor(6) as threads:
        asking = [threads.submit(go_on_asking) for _ in range(6)]
        for _ in range(8):
            home.publish("things")
        done.set()
        for each in asking:
            each.result()
    assert wrong == []
    assert len(seen) > 1
    assert ask(home)[0] == 9
    # What was held until its last question was answered is let go of: the next publication removes it.
    home.publish("things")
    kept = sorted(path.name for path in (home.place / "snapshots").glob("*-*.*"))
    assert kept == [
        f"{kind}-{number:06d}.{ending}"
        for kind, ending in (("metrics", "json"), ("snap", "duckdb"))
        for number in (8, 9, 10)
    ]


def test_compiled_sql_is_kept_for_the_next_process_and_may_be_lost(home: Home) -> None:
    [kept] = _asked_afresh(home)
    record = json.loads(kept.read_text())
    assert "fact_things" in record["sql"]
    # It is read back: what stands in the file is what is run.
    kept.write_text(json.dumps({**record, "sql": "select 77 as things"}))
    sql_cache.forget()
    assert ask(home)[0] == 77
    # What other code had written is not.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_cache, "_writer", lambda: "another")
        sql_cache.forget()
        assert ask(home)[0] == 1
    [other] = {*sql_cache.cache_folder(home.place).rglob("*.json")} - {kept}
    other.unlink()
    for damage in ("", "{", "[]", '{"sql": 3, "what": 4}'):
        kept.write_text(damage)
        assert _asked_afresh(home) == [kept]
        assert json.loads(kept.read_text()) == record


def _asked_afresh(home: Home) -> list[Path]:
    sql_cache.forget()
    assert ask(home)[0] == 1
    return list(sql_cache.cache_folder(home.place).rglob("*.json"))


def test_who_may_only_read_gets_the_same_answer(home: Home) -> None:
    home.place.chmod(0o555)
    try:
        done = GraceCli(home.place).run(
            "metrics", "query", "things", "--format", "csv", rights=False
        )
    finally:
        home.place.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, "things\n1\n"), done.stderr
    assert not sql_cache.cache_folder(home.place).exists()


def test_one_question_in_another_order_is_one_question(home: Home) -> None:
    home.publish("things", "weight")
    sql_cache.forget()
    before = len(list(sql_cache.cache_folder(home.place).rglob("*.json")))
    one = metrics.query(["things", "weight"], home=home.place)
    other = metrics.query(["weight", "things"], home=home.place)
    assert len(list(sql_cache.cache_folder(home.place).rglob("*.json"))) == before + 1
    assert one.rows == other.rows == [{"things": 2, "weight": 3}]
    assert [column.name for column in other.columns] == ["weight", "things"]
